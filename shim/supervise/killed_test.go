package supervise

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

var kills = flag.Int("kills", 6, "how many supervisors are killed")

// A supervisor that is killed while a container writes takes nothing with it, and
// what it had begun is not done twice: the log and who is attached have each byte
// once.
func TestKilledWhileWriting(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal=%v", terminal), func(t *testing.T) {
			m := newMachine(t)
			const script = "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo line $i; [ $((i%1000)) = 0 ] && printf 'part %s ' $i; done; echo last; exit 9"
			c := m.create(script, func(c *container.Config) {
				c.Terminal = terminal
				c.Log.Options = map[string]string{"max-size": "100k", "max-file": "1000"}
			})
			client := m.start(c, true)
			var out bytes.Buffer
			done := make(chan error, 1)
			go func() {
				done <- client.Attach(context.Background(), AttachOptions{First: true}, Streams{Stdout: &out})
			}()
			m.killMany(c, *kills)
			m.touch(c, "/tmp/stop")
			if err := <-done; err != nil {
				t.Error(err)
			}
			if status, err := client.Wait(t.Context()); status != 9 || err != nil {
				t.Errorf("status %d, %v", status, err)
			}
			if err := client.End(t.Context()); err != nil {
				t.Error(err)
			}
			newline := "\n"
			if terminal {
				newline = "\r\n"
			}
			if want := written(out.Len(), newline); out.String() != want {
				t.Errorf("what was attached has %d bytes, and should have %d: differs at %s", out.Len(), len(want), difference(out.String(), want))
			}
			if logged, _ := m.logged(c); logged != out.String() {
				t.Errorf("the log has %d bytes, what was attached %d: differs at %s", len(logged), out.Len(), difference(logged, out.String()))
			}
		})
	}
}

// killMany kills supervisors of a container, one after the other, at any moment.
func (m *machine) killMany(c *container.Container, n int) {
	m.t.Helper()
	last := 0
	for killed := 0; killed < n; {
		pid, err := m.supervisor(c)
		if err != nil || pid == last {
			time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
			continue
		}
		last = pid
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			m.t.Error(err)
		}
		killed++
	}
}

// written is what the script has written, of some size.
func written(size int, newline string) string {
	var b bytes.Buffer
	tail := "last" + newline
	for i := 1; b.Len() < size-len(tail); i++ {
		fmt.Fprintf(&b, "line %d%s", i, newline)
		if i%1000 == 0 {
			fmt.Fprintf(&b, "part %d ", i)
		}
	}
	return b.String() + tail
}

// difference shows where two texts differ.
func difference(a, b string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d: %q and %q", i, a[max(0, i-30):min(len(a), i+30)], b[max(0, i-30):min(len(b), i+30)])
		}
	}
	return fmt.Sprint(min(len(a), len(b)))
}
