package container

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) *Store {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s, err := Open(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// make makes a whole container.
func (s *Store) make(t *testing.T, config Config) *Container {
	t.Helper()
	l, err := s.Create(config)
	if err == nil {
		err = l.Ready()
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	return l.Container
}

func TestCreate(t *testing.T) {
	s := open(t)
	want := Config{Name: "one", Created: time.Unix(1, 2).UTC(), Image: "sha256:ab", Path: "/bin/sh", Args: []string{"-c", "true"},
		Labels: map[string]string{"a": "b"}, Health: &Health{Test: []string{"CMD", "true"}, Interval: time.Second}}
	l, err := s.Create(want)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("a container that is being made is listed: %v, %v", list, err)
	}
	if _, err := s.Find("one"); !errors.Is(err, ErrNotExist) {
		t.Errorf("found: %v", err)
	}
	if left, err := s.Leftovers(); err != nil || len(left) != 0 {
		t.Errorf("it is taken for a leftover: %v, %v", left, err)
	}
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	c, err := s.Find("one")
	if err != nil {
		t.Fatal(err)
	}
	want.ID = l.Config.ID
	if !reflect.DeepEqual(c.Config, want) {
		t.Errorf("got %+v, want %+v", c.Config, want)
	}
	if st, err := c.State(); err != nil || st.Status != Created {
		t.Errorf("state %+v, %v", st, err)
	}
}

func TestFind(t *testing.T) {
	s := open(t)
	ids := []string{"aa11" + strings.Repeat("0", 60), "aa22" + strings.Repeat("0", 60), "bb33" + strings.Repeat("0", 60)}
	for i, name := range []string{"one", "two", "aa11"} {
		s.make(t, Config{ID: ids[i], Name: name})
	}
	for _, tt := range []struct{ ref, want, err string }{
		{"one", ids[0], ""}, {"/two", ids[1], ""}, {ids[0], ids[0], ""}, {"aa2", ids[1], ""},
		{"aa11", ids[2], ""}, // a name comes before the beginning of an ID
		{"aa", "", "multiple IDs found with provided prefix: aa"},
		{"three", "", "No such container: three"}, {"", "", "No such container: "},
		{"../names", "", "No such container: ../names"}, {".lock", "", "No such container: .lock"}, {"names", "", "No such container: names"},
	} {
		c, err := s.Find(tt.ref)
		switch {
		case tt.err != "" && (err == nil || err.Error() != tt.err):
			t.Errorf("%q: got error %v, want %s", tt.ref, err, tt.err)
		case tt.err == "" && (err != nil || c.Config.ID != tt.want):
			t.Errorf("%q: got %v, %v", tt.ref, c, err)
		}
	}
}

func TestNamesAreTaken(t *testing.T) {
	s := open(t)
	one, two := s.make(t, Config{Name: "one"}), s.make(t, Config{Name: "two"})
	_, err := s.Create(Config{Name: "one"})
	if want := `The container name "/one" is already in use by container "` + one.Config.ID; !errors.Is(err, ErrExist) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	l, err := two.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if err := l.Rename("one"); !errors.Is(err, ErrExist) {
		t.Errorf("renaming to a name that is taken: %v", err)
	}
	if err := l.Rename("three"); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Find("three"); err != nil || c.Config.ID != two.Config.ID {
		t.Errorf("got %v, %v", c, err)
	}
	if _, err := s.Find("two"); !errors.Is(err, ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
	s.make(t, Config{Name: "two"})
	if c := s.make(t, Config{}); CheckName(c.Config.Name) != nil || !strings.Contains(c.Config.Name, "_") {
		t.Errorf("name %q", c.Config.Name)
	}
	for _, wrong := range []string{"a", "-a", "a/b", "a b", ".a", "ä1", strings.Repeat("x", 129), "a\n"} {
		if _, err := s.Create(Config{Name: wrong}); err == nil {
			t.Errorf("the name %q is taken", wrong)
		}
	}
}

// What a kill left in a rename is neither found nor in the way.
func TestLinksLeftOver(t *testing.T) {
	s := open(t)
	one := s.make(t, Config{Name: "one"})
	for name, id := range map[string]string{"other": one.Config.ID, "gone": NewID(), "odd": "../../etc"} {
		if err := os.Symlink(id, s.path(namesDir, name)); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Find(name); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
		s.make(t, Config{Name: name})
	}
}

// Names that no container has are removed: those of a rename that was killed, when
// somebody tidies, and that of a container of which there is nothing else.
func TestNamesAreTidied(t *testing.T) {
	s := open(t)
	one := s.make(t, Config{Name: "one"})
	begun := NewID()
	if err := errors.Join(os.Mkdir(s.path(begun), 0o711), os.WriteFile(s.path(begun, lockFile), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	leave := func() {
		for name, id := range map[string]string{"other": one.Config.ID, "gone": NewID(), "begun": begun} {
			if err := s.link(name, id); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
	}
	for what, tidy := range map[string]func() error{
		"TidyNames": s.TidyNames,
		"Leftovers": func() error { _, err := s.Leftovers(); return err },
	} {
		leave()
		if err := tidy(); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(s.path(namesDir)); err != nil || len(entries) != 1 || entries[0].Name() != "one" {
			t.Errorf("%s: there are %v, %v", what, entries, err)
		}
		if err := errors.Join(os.MkdirAll(s.path(begun), 0o711), os.WriteFile(s.path(begun, lockFile), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRemove(t *testing.T) {
	s := open(t)
	c := s.make(t, Config{Name: "one"})
	if err := os.MkdirAll(filepath.Join(c.Run(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := c.Lock()
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() {
		_, err := c.Lock()
		waits <- err
	}()
	if err := l.Hide(); err != nil {
		t.Fatal(err)
	}
	if list, _ := s.List(); len(list) != 0 {
		t.Error("a container that is being removed is listed")
	}
	if err := c.SetState(State{Status: Running}); !errors.Is(err, ErrNotExist) {
		t.Errorf("its state is written: %v", err)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, ErrNotExist) {
		t.Errorf("who waited has it: %v", err)
	}
	for _, dir := range []string{s.path(), s.path(namesDir)} {
		if entries, _ := os.ReadDir(dir); len(entries) > 3 || dir == s.path(namesDir) && len(entries) > 0 {
			t.Errorf("left in %s: %v", dir, entries)
		}
	}
	if _, err := os.Stat(s.Run()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
	if _, err := c.State(); !errors.Is(err, ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestStateIsRepaired(t *testing.T) {
	s := open(t)
	c := s.make(t, Config{Name: "one"})
	running := State{Status: Running, Pid: 7, StartedAt: time.Unix(5, 0).UTC()}
	if err := c.SetState(running); err != nil {
		t.Fatal(err)
	}
	if st, err := c.State(); err != nil || st.Status != Exited || st.Pid != 0 || st.ExitCode != LostExitCode || st.Error != "its supervisor was killed" || !st.StartedAt.Equal(running.StartedAt) || st.FinishedAt.IsZero() {
		t.Errorf("without a supervisor: %+v, %v", st, err)
	}
	lock, err := c.Supervise()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Supervise(); !errors.Is(err, ErrSupervised) {
		t.Errorf("two supervisors: %v", err)
	}
	if st, err := c.State(); err != nil || st.Status != Running || st.Pid != 7 {
		t.Errorf("with a supervisor: %+v, %v", st, err)
	}
	if err := os.WriteFile(c.path(stateFile), []byte(`{"Status":"paused","Boot":"another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if st, err := c.State(); err != nil || st.Status != Exited || st.Error != "the machine was started anew" {
		t.Errorf("of another boot: %+v, %v", st, err)
	}
	lock.Close()
	if c.Supervised() {
		t.Error("the file is locked after its end")
	}
	if err := os.WriteFile(c.path(stateFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if st, err := c.State(); err != nil || st.Status != Exited || st.ExitCode != LostExitCode {
		t.Errorf("an empty file: %+v, %v", st, err)
	}
	opened, err := OpenDir(c.Dir())
	if err != nil || opened.Config.Name != "one" || opened.Store().Root() != s.Root() {
		t.Errorf("got %+v, %v", opened, err)
	}
}

// A supervisor's lock is its keeper's too, and reading states takes none.
func TestSupervisedByTwo(t *testing.T) {
	c := open(t).make(t, Config{})
	first, err := c.Supervise()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.OpenFile("/proc/self/fd/"+itoa(first.Fd()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	kept.Close() // another description: it has no part in the lock
	second := dup(t, first)
	first.Close()
	if !c.Supervised() {
		t.Error("the lock has gone with the first of two")
	}
	second.Close()
	if c.Supervised() {
		t.Error("the lock has outlived the last")
	}
}

func TestModes(t *testing.T) {
	s := open(t)
	c := s.make(t, Config{})
	for path, want := range map[string]os.FileMode{
		s.Root(): 0o711, s.path(): 0o711, c.Dir(): 0o711, c.path(configFile): 0o600, c.path(stateFile): 0o600, c.path(lockFile): 0o600,
	} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, fi.Mode(), err, want)
		}
	}
}

// The directory for sockets goes with the last container, and not while one is being
// started.
func TestTidyRun(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s, err := Open(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	there := func() bool { _, err := os.Stat(s.Run()); return err == nil }
	t.Cleanup(func() { os.RemoveAll(s.Run()) })
	mkdir := func(dir string) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mkdir(filepath.Join(s.Runtime(), "id"))
	if s.TidyRun(); !there() {
		t.Error("the state of a container has gone")
	}
	os.Remove(filepath.Join(s.Runtime(), "id"))
	mkdir(filepath.Join(s.Run(), "socket"))
	if s.TidyRun(); !there() {
		t.Error("the socket of a container has gone")
	}
	os.Remove(filepath.Join(s.Run(), "socket"))
	done, err := s.Starting()
	if err != nil {
		t.Fatal(err)
	}
	if s.TidyRun(); !there() {
		t.Error("it has gone while a container is started")
	}
	if done(); there() {
		t.Error("it has not gone with the last")
	}
}
