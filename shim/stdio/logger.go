package stdio

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// logger is a logging program, which reads a process's outputs from the
// descriptors 3 and 4, and closes 5 when it is ready.
// Compat(containerd): its logging.Run.
type logger struct {
	cmd    *exec.Cmd
	pidfd  int
	writes [2]*os.File // the outputs' ends that are nobody's yet
}

// How long a logging program may take: to be ready, to end by itself when its input
// has ended, and to end after SIGTERM.
const (
	loggerReady = time.Minute
	loggerGrace = 2 * time.Second
	loggerTerm  = 12 * time.Second
)

// startLogger starts the program that u names, and waits until it is ready.
func startLogger(u *url.URL, place *Place) (*logger, error) {
	g := &logger{pidfd: -1}
	reads, err := g.pipes(place)
	defer closeAll(reads[:]...)
	if err != nil {
		return nil, err
	}
	ready, theirs, err := pipe(0, 0)
	if err != nil {
		g.closeEnds()
		return nil, err
	}
	defer ready.Close()
	g.cmd = exec.Command(u.Path, arguments(u.Query())...)
	g.cmd.Env = append(os.Environ(), "CONTAINER_ID="+place.ID, "CONTAINER_NAMESPACE="+place.Namespace)
	g.cmd.ExtraFiles = []*os.File{reads[0], reads[1], theirs}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &g.pidfd}
	err = g.cmd.Start()
	theirs.Close()
	if err == nil {
		err = awaitReady(ready, u.Scheme, loggerReady)
		if err != nil {
			g.cmd.Process.Kill()
			g.cmd.Wait()
		}
	}
	if err != nil {
		g.closeEnds()
		return nil, fmt.Errorf("starting the logging program %s: %w", u.Path, err)
	}
	return g, nil
}

// pipes makes the outputs' pipes.
func (g *logger) pipes(place *Place) (reads [2]*os.File, err error) {
	for i := range reads {
		if reads[i], g.writes[i], err = pipe(place.UID, place.GID); err != nil {
			g.closeEnds()
			return reads, err
		}
	}
	return reads, nil
}

// arguments are a query's keys, each followed by its value.
func arguments(query url.Values) []string {
	var list []string
	for _, key := range sortedKeys(query) {
		list = append(list, key)
		if values := query[key]; len(values) > 0 {
			list = append(list, values[0])
		}
	}
	return list
}

func sortedKeys(query url.Values) []string {
	keys := make([]string, 0, len(query))
	for key := range query {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// awaitReady waits for the program to close its end. The second version of
// the protocol wants a byte before, so that a program that has died is not
// taken for one that is ready.
func awaitReady(ready *os.File, scheme string, patience time.Duration) error {
	if err := awaitReadable(ready, patience); err != nil {
		return err
	}
	n, err := ready.Read(make([]byte, 1))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if scheme == schemeBinaryV2 && n == 0 {
		return errors.New("it did not say that it is ready [it may have ended]")
	}
	return nil
}

// awaitReadable waits until something can be read, or an end.
func awaitReadable(f *os.File, patience time.Duration) error {
	set := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll(set, max(0, int(time.Until(end).Milliseconds())))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return fmt.Errorf("it has not said within %v that it is ready", patience)
		default:
			return nil
		}
	}
}

// take gives away the end of an output.
func (g *logger) take(i int) *os.File {
	f := g.writes[i]
	g.writes[i] = nil
	return f
}

func (g *logger) closeEnds() {
	closeAll(g.writes[:]...)
	g.writes = [2]*os.File{}
}

// end waits for the program's end. One that goes on without input is told to
// end, and then made to.
func (g *logger) end(l *loop.Loop, done func()) {
	var timer *loop.Timer
	var watch *loop.Watch
	watch, err := l.Watch(g.pidfd, loop.Readable, func(uint32) {
		watch.Stop()
		timer.Stop()
		g.cmd.Wait()
		unix.Close(g.pidfd)
		done()
	})
	if err != nil {
		g.cmd.Process.Kill()
		done()
		return
	}
	timer = l.After(loggerGrace, func() {
		g.cmd.Process.Signal(unix.SIGTERM)
		timer = l.After(loggerTerm, func() { g.cmd.Process.Kill() })
	})
}
