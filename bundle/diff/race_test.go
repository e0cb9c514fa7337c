package diff

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/treetest"
)

// TestExportUnderAttack has somebody exchange files and directories with links
// that lead out of the tree, and with pipes that nobody writes to: nothing of
// what is outside comes into the layer, and nothing hangs.
func TestExportUnderAttack(t *testing.T) {
	outside := dir(t, treetest.File("f", "SECRET"), treetest.Dir("d"), treetest.File("d/f", "SECRET"))
	tree := dir(t,
		treetest.Dir("d"), treetest.Dir("d/e"), treetest.File("d/e/f", "fine"), treetest.File("d/f", "fine"), treetest.File("f", "fine"),
		treetest.Symlink("x0", outside+"/d"), treetest.Symlink("x1", outside+"/f"), treetest.Fifo("x2"), treetest.Dir("x3"), treetest.File("x3/f", "fine"))
	// The attacker holds its directories open: it follows no links itself.
	top, d, e := int(open(t, tree).Fd()), int(open(t, tree+"/d").Fd()), int(open(t, tree+"/d/e").Fd())
	places := []struct {
		in   int
		name string
	}{{top, "d"}, {d, "e"}, {d, "f"}, {e, "f"}, {top, "f"}, {top, "x0"}, {top, "x1"}, {top, "x2"}, {top, "x3"}}
	stop := make(chan struct{})
	ended := make(chan int)
	go func() {
		random, swaps := rand.New(rand.NewSource(1)), 0
		for {
			select {
			case <-stop:
				ended <- swaps
				return
			default:
			}
			a, b := places[random.Intn(len(places))], fmt.Sprint("x", random.Intn(4))
			if unix.Renameat2(a.in, a.name, top, b, unix.RENAME_EXCHANGE) == nil {
				swaps++
			}
		}
	}()
	good := 0
	for range 500 {
		var out bytes.Buffer
		if err := Export(t.Context(), &out, Directory(tree), Options{}); err == nil {
			good++
		}
		if bytes.Contains(out.Bytes(), []byte("SECRET")) {
			t.Error("a file from outside is in the layer")
			break
		}
	}
	close(stop)
	if swaps := <-ended; swaps < 300 || good < 3 {
		t.Errorf("%d exchanges and %d whole layers: this was no race", swaps, good)
	}
	if data, err := os.ReadFile(outside + "/f"); err != nil || string(data) != "SECRET" {
		t.Errorf("outside: %q, %v", data, err)
	}
}

// TestFilesThatChangeInTheMiddle reads a file that becomes shorter: that is an
// error, and no layer with other bytes than its headers promise.
func TestFilesThatChangeInTheMiddle(t *testing.T) {
	tree := dir(t, treetest.File("f", string(make([]byte, 8<<20))))
	w := &shrinking{file: filepath.Join(tree, "f")}
	err := Export(t.Context(), w, Directory(tree), Options{})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("changed while it was read [pause")) {
		t.Errorf("got %v", err)
	}
}

// shrinking cuts a file when the first bytes come.
type shrinking struct{ file string }

func (s *shrinking) Write(p []byte) (int, error) { return len(p), os.Truncate(s.file, 1<<20) }
