package container

import (
	"errors"
	"os"
	"testing"
)

// What a supervisor left that was killed with its keeper is cleaned up once, by whoever
// looks first, whatever the state said; what one left that ended by itself is not.
func TestMended(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status Status
		want   State
	}{
		{"running", Running, State{Status: Exited, ExitCode: LostExitCode, Error: SupervisorKilled}},
		{"paused", Paused, State{Status: Exited, ExitCode: LostExitCode, Error: SupervisorKilled}},
		{"killed before it was said to run", Created, State{Status: Created}},
		{"killed after its end", Exited, State{Status: Exited}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			c := s.make(t, Config{Name: "one"})
			var mended []Status
			s.MendBy(func(l *Locked, was State) error {
				mended = append(mended, was.Status)
				return nil
			})
			end := c.supervised(t, tt.status)
			if _, err := s.Find("one"); err != nil || len(mended) != 0 {
				t.Fatalf("mended with a supervisor: %v, %v", mended, err)
			}
			end()
			for range 2 {
				st, err := c.State()
				if err != nil || st.Status != tt.want.Status || st.ExitCode != tt.want.ExitCode || st.Error != tt.want.Error {
					t.Errorf("got %+v, %v", st, err)
				}
			}
			if len(mended) != 1 || mended[0] != tt.status {
				t.Errorf("mended %v", mended)
			}
			if st, err := c.readState(); err != nil || st.Status != tt.want.Status {
				t.Errorf("written: %+v, %v", st, err)
			}
		})
	}
}

// supervised is a supervisor that has written a state, until the function is called.
func (c *Container) supervised(t *testing.T, status Status) (end func()) {
	t.Helper()
	f, err := c.Supervise()
	if err == nil {
		err = Begin(f)
	}
	if err == nil {
		err = c.SetState(State{Status: status})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func TestNotMended(t *testing.T) {
	s := open(t)
	c := s.make(t, Config{Name: "one"})
	failure := errors.New("it cannot be")
	s.MendBy(func(*Locked, State) error { return failure })
	c.supervised(t, Running)()

	l, err := c.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if st, err := c.State(); err != nil || st.Status != Exited || st.Error != SupervisorKilled {
		t.Errorf("while another has it locked: %+v, %v", st, err)
	}
	l.Unlock()
	want := SupervisorKilled + ", and what it left cannot be removed: it cannot be"
	if st, err := c.State(); err != nil || st.Status != Exited || st.Error != want {
		t.Errorf("got %+v, %v", st, err)
	}
	if st, err := c.readState(); err != nil || st.Status != Running {
		t.Errorf("written, and never tried again: %+v, %v", st, err)
	}
	s.MendBy(func(l *Locked, _ State) error { return errors.Join(l.Hide(), os.RemoveAll(c.Dir())) })
	if _, err := s.Find("one"); !errors.Is(err, ErrNotExist) {
		t.Errorf("found one that was removed: %v", err)
	}

	c = s.make(t, Config{Name: "two"})
	f, err := c.Supervise()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Begin(f), c.SetState(State{Status: Exited}), End(f)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	s.MendBy(func(*Locked, State) error { t.Error("mended after a supervisor's end"); return nil })
	if _, err := s.Find("two"); err != nil {
		t.Error(err)
	}
}
