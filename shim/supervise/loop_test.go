package supervise

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

// Supervisors are killed at any moment of starts, further processes, restarts and
// stops; every status and every byte comes all the same, and nothing is left.
func TestKilledInLoops(t *testing.T) {
	m := newMachine(t)
	work := map[string]func(t *testing.T, n int){
		"run": func(t *testing.T, n int) {
			want := fmt.Sprintf("begin %d\nend\n", n)
			c := m.create(fmt.Sprintf("echo begin %d; echo end; exit %d", n, n%100), nil)
			out, status := m.killing(t, c, func(client *Client) {})
			if out != want || status != n%100 {
				t.Errorf("wrote %q, status %d", out, status)
			}
			if logged, _ := m.logged(c); logged != want {
				t.Errorf("logged %q", logged)
			}
		},
		"exec": func(t *testing.T, n int) {
			c := m.create("read x", func(c *container.Config) { c.Interactive = true })
			_, status := m.killing(t, c, func(client *Client) {
				text := strings.Repeat(fmt.Sprintf("%d\n", n), 20_000)
				for i := range 3 {
					out, _, status := m.exec(client, script(fmt.Sprintf("while read x; do echo $x; done; exit %d", i)), text)
					if status != i || out != text {
						t.Errorf("%d bytes of %d, status %d", len(out), len(text), status)
					}
				}
				client.Stop(context.Background(), StopOptions{Signal: unix.SIGKILL})
			})
			if status != 137 {
				t.Errorf("status %d", status)
			}
		},
		"restart": func(t *testing.T, n int) {
			c := m.create("echo run; exit 1", func(c *container.Config) {
				c.Restart = container.RestartPolicy{Name: container.RestartOnFailure, Max: 2}
			})
			out, _ := m.killing(t, c, func(client *Client) {})
			if out != "run\nrun\nrun\n" {
				t.Errorf("wrote %q", out)
			}
			if s, err := c.State(); err != nil || s.RestartCount != 2 || s.ExitCode != 1 || s.Status != container.Exited {
				t.Errorf("state %+v, %v", s, err)
			}
		},
		"stop": func(t *testing.T, n int) {
			c := m.create("trap 'echo bye; exit 3' TERM; echo up; read x; read x", func(c *container.Config) { c.Interactive = true })
			out, status := m.killing(t, c, func(client *Client) {
				m.awaitOutput(c, "up\n")
				client.Stop(context.Background(), StopOptions{})
			})
			if out != "up\nbye\n" || status != 3 {
				t.Errorf("wrote %q, status %d", out, status)
			}
		},
	}
	for name, do := range work {
		t.Run(name, func(t *testing.T) {
			for n := range max(1, *kills/4) {
				do(t, n)
			}
		})
	}
}

// mostKills is how many supervisors of one container are killed: one that never
// lives longer than it needs to begin gets nowhere.
const mostKills = 6

// killing runs a container, and does something with it, while its supervisors are
// killed. It returns what was written and the status.
func (m *machine) killing(t *testing.T, c *container.Container, do func(*Client)) (string, int) {
	t.Helper()
	var over atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		last, killed := 0, 0
		for !over.Load() && killed < mostKills {
			pid, err := m.supervisor(c)
			if err == nil && pid != last && !over.Load() {
				time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
				unix.Kill(pid, unix.SIGKILL)
				last = pid
				killed++
			}
			time.Sleep(time.Millisecond)
		}
	}()
	defer func() { over.Store(true); <-stopped }()
	client := m.start(c, true)
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- client.Attach(context.Background(), AttachOptions{First: true}, Streams{Stdout: &out})
	}()
	do(client)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := client.End(context.Background()); err != nil {
		t.Error(err)
	}
	status, err := client.Wait(context.Background())
	if err != nil {
		t.Error(err)
	}
	return out.String(), status
}

// awaitOutput waits until the log has a text.
func (m *machine) awaitOutput(c *container.Container, want string) {
	for range 1000 {
		if out, _ := m.logged(c); strings.Contains(out, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Errorf("the log has no %q", want)
}
