package hostile

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

var (
	rounds = flag.Int("rounds", 5, "attack `N` times while names are exchanged")
	judged = flag.String("davit-shim", "../../bin/davit-shim", "the `PROGRAM` that is judged")
)

// lab is davit-shim with a root of its own, and a directory of the host that nothing
// may read or change.
type lab struct {
	t            *testing.T
	program, dir string
	canary       string
}

// secret is what the canary's file has.
const secret = "CANARY"

func newLab(t *testing.T) *lab {
	t.Helper()
	needs.Root(t, "it makes containers")
	needs.File(t, "/bin/busybox", "busybox-static")
	l := &lab{t: t, program: needs.Built(t, *judged), dir: t.TempDir()}
	l.canary = filepath.Join(l.dir, "canary")
	l.must(errors.Join(os.Mkdir(l.canary, 0o700), os.WriteFile(l.canary+"/file", []byte(secret), 0o600)))
	t.Cleanup(l.end)
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// root is davit-shim's.
func (l *lab) root() string { return filepath.Join(l.dir, "root") }

// end removes everything, and looks at the canary.
func (l *lab) end() {
	if ids := strings.Fields(l.want("ps", "-a", "-q")); len(ids) > 0 {
		l.want(append([]string{"rm", "-f", "-v"}, ids...)...)
	}
	sum := sha256.Sum256([]byte(l.root()))
	if err := os.RemoveAll("/run/davit-shim/" + hex.EncodeToString(sum[:6])); err != nil {
		l.t.Error(err)
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), l.dir) {
		l.t.Errorf("something is left mounted, %v", err)
	}
	if harm := l.harm(); harm != "" {
		l.t.Error(harm)
	}
}

// harm says what became of the canary.
func (l *lab) harm() string {
	info, err := os.Stat(l.canary)
	if err != nil {
		return err.Error()
	}
	entries, _ := os.ReadDir(l.canary)
	data, _ := os.ReadFile(l.canary + "/file")
	if len(entries) != 1 || string(data) != secret || info.Mode().Perm() != 0o700 {
		return "the host's directory was changed"
	}
	return ""
}

// longest is how long a command may take.
const longest = time.Minute

// shim runs a command, and gives all that it printed.
func (l *lab) shim(args ...string) (string, error) { return l.with(nil, args...) }

func (l *lab) with(change func(*exec.Cmd), args ...string) (string, error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.program, append([]string{"--root", l.root()}, args...)...)
	if change != nil {
		change(cmd)
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		l.t.Fatalf("davit-shim %s: it has not ended after %v", strings.Join(args, " "), longest)
	}
	return string(out), err
}

// want runs a command that is to succeed.
func (l *lab) want(args ...string) string {
	l.t.Helper()
	out, err := l.shim(args...)
	if err != nil {
		l.t.Fatalf("davit-shim %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// run is a container that is gone when it ends.
func (l *lab) run(args ...string) (string, error) {
	return l.shim(append([]string{"run", "--rm", "--network", "none"}, args...)...)
}

// lasting is a container that stays.
func (l *lab) lasting(name string, args ...string) {
	l.t.Helper()
	l.want(append(append([]string{"run", "-d", "--network", "none", "--name", name}, args...), "sh", "-c", "sleep 100000")...)
}

// image imports a root file system with busybox, and what else is given.
func (l *lab) image(name string, changes []string, entries ...*tar.Header) {
	l.t.Helper()
	archive := filepath.Join(l.dir, name+".tar")
	l.must(os.WriteFile(archive, l.archive(entries), 0o600))
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "-c", c)
	}
	l.want(append(args, archive, name)...)
}

func (l *lab) archive(entries []*tar.Header) []byte {
	l.t.Helper()
	program, err := os.ReadFile("/bin/busybox")
	l.must(err)
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	l.must(w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(program))}))
	_, err = w.Write(program)
	l.must(err)
	for _, applet := range strings.Fields("sh cat echo id ls ln mkdir mkfifo mv touch env true sleep rm cp") {
		l.must(w.WriteHeader(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}))
	}
	for _, h := range entries {
		content := h.PAXRecords[contentKey]
		h.PAXRecords = nil
		h.Size = int64(len(content))
		l.must(w.WriteHeader(h))
		_, err := w.Write([]byte(content))
		l.must(err)
	}
	l.must(w.Close())
	return data.Bytes()
}

// contentKey is where file keeps its text.
const contentKey = "content"

func file(name, text string, mode int64) *tar.Header {
	return &tar.Header{Name: name, Mode: mode, PAXRecords: map[string]string{contentKey: text}}
}

func link(name, target string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}
}

// exchange exchanges two names all the time while act runs, several times.
func (l *lab) exchange(a, b string, act func()) {
	l.t.Helper()
	var swaps atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		for {
			select {
			case <-stop:
				return
			default:
				if unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil {
					swaps.Add(1)
				}
			}
		}
	}()
	defer func() {
		close(stop)
		<-ended
		if swaps.Load() < 100 {
			l.t.Errorf("the names were exchanged only %d times", swaps.Load())
		}
	}()
	for range *rounds {
		act()
		if harm := l.harm(); harm != "" {
			l.t.Fatal(harm)
		}
	}
}

// executed are the programs that a command has executed, itself and its descendants,
// and the namespaces that they entered.
func (l *lab) executed(change func(*exec.Cmd), args ...string) []string {
	l.t.Helper()
	strace := needs.Program(l.t, "strace")
	trace := filepath.Join(l.dir, "trace")
	out, err := l.with(func(cmd *exec.Cmd) {
		if change != nil {
			change(cmd)
		}
		cmd.Args = append([]string{strace, "-f", "-qq", "-e", "signal=none", "-e", "trace=execve,execveat,setns,chroot,pivot_root", "-o", trace}, append([]string{l.program}, cmd.Args[1:]...)...)
		cmd.Path = strace
	}, args...)
	text, read := os.ReadFile(trace)
	if read != nil || !strings.Contains(string(text), "execve(") {
		l.t.Fatalf("davit-shim %s: %v, %v: %s%s", strings.Join(args, " "), err, read, text, out)
	}
	if refused := strings.Contains(strings.Join(args, " "), "cp - "); err != nil && !refused { // of an archive in a form that cp does not take
		l.t.Errorf("davit-shim %s: %v: %s", strings.Join(args, " "), err, out)
	}
	var others []string
	for line := range strings.Lines(string(text)) {
		own := strings.Contains(line, `execve("`+l.program+`"`) || strings.Contains(line, `execve("/proc/self/exe"`) || strings.Contains(line, "<... ")
		ended := strings.Contains(line, "???(") // a thread that exit_group took away before strace could read its call
		if !own && !ended {
			others = append(others, strings.TrimSpace(line))
		}
	}
	return others
}
