package keeper

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/memprogram"
)

//go:generate ../../contrib/static/build keeper amd64 src/keeper.c
//go:generate ../../contrib/static/build keeper arm64 src/keeper.c

// Name is the program's in /proc/PID/comm and of its memfd.
const Name = "davit-keeper"

// Launch is what a keeper is started with.
type Launch struct {
	Program  string   // the supervisor's absolute path
	Args     []string // without the program's name
	Env      []string
	Dir      string
	Listener *os.File // the socket that the supervisor serves
	Exits    string   // a file for the exits of orphans, emptied
	Lock     *os.File // what it keeps by LockKey, for as long as it lives or until it is dropped; nil for nothing
}

// LockKey is the key of [Launch.Lock].
const LockKey = "lock"

// Start starts a keeper, in a session of its own, which starts the supervisor.
// It returns the keeper's pid.
func Start(l Launch) (int, error) {
	program, err := memprogram.Open(Name, blob)
	if err != nil {
		return 0, fmt.Errorf("making the keeper: %w", err)
	}
	defer program.Close()
	exits, err := os.OpenFile(l.Exits, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, fmt.Errorf("making the file for exits: %w", err)
	}
	defer exits.Close()
	supervisor, err := os.OpenFile(l.Program, unix.O_PATH, 0)
	if err != nil {
		return 0, fmt.Errorf("opening the supervisor's program: %w", err)
	}
	defer supervisor.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	argv := []string{Name}
	files := []uintptr{null.Fd(), null.Fd(), null.Fd(), l.Listener.Fd(), exits.Fd(), supervisor.Fd()}
	if l.Lock != nil {
		argv, files = append(argv, LockKey), append(files, l.Lock.Fd())
	}
	path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(program.Fd()))
	pid, _, err := syscall.StartProcess(path, append(append(argv, l.Program), l.Args...), &syscall.ProcAttr{
		Dir: l.Dir, Env: l.Env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("starting the keeper: %w", err)
	}
	return pid, nil
}
