package main

import (
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// creation has the flags of the commands that make a container: create, run,
// and plan. Paths are relative to the directory in which davit is called.
type creation struct {
	bundle        string
	config        string
	consoleSocket string
	pidfdSocket   string
	pidFile       string
	noPivot       bool
	noNewKeyring  bool
	preserveFDs   int
}

// register declares the flags.
func (c *creation) register(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVarP(&c.bundle, "bundle", "b", "", "the bundle's `DIR` (default is the current directory)")
	fs.StringVarP(&c.config, "config", "f", "", "read the configuration from `FILE` (default is config.json in the bundle)")
	fs.StringVar(&c.consoleSocket, "console-socket", "", "send the master of the terminal to the unix `SOCKET`")
	fs.StringVar(&c.pidfdSocket, "pidfd-socket", "", "send a pidfd of the container's first process to the unix `SOCKET`")
	fs.StringVar(&c.pidFile, "pid-file", "", "write the pid of the container's first process to `FILE`")
	fs.BoolVar(&c.noPivot, "no-pivot", false, "do not use pivot_root(2), which a root file system on a ramdisk does not allow")
	fs.BoolVar(&c.noNewKeyring, "no-new-keyring", false, "keep the caller's session keyring in the container")
	fs.IntVar(&c.preserveFDs, "preserve-fds", 0, "pass `N` more descriptors to the container, after standard input, output and error and $LISTEN_FDS")
}

// load reads the bundle.
func (c *creation) load() (*libcontainer.Bundle, error) {
	return libcontainer.LoadBundle(c.bundle, c.config)
}

// options are the options of libcontainer that the flags and the environment
// stand for.
func (c *creation) options() (libcontainer.CreateOptions, error) {
	o := libcontainer.CreateOptions{
		Stdio:         [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
		ConsoleSocket: c.consoleSocket,
		PidFile:       c.pidFile,
		PidfdSocket:   c.pidfdSocket,
		NoPivot:       c.noPivot,
		NoNewKeyring:  c.noNewKeyring,
		PreserveFDs:   c.preserveFDs,
		ListenFDs:     listenFDs(os.Getenv, os.Getpid()),
	}
	if c.preserveFDs < 0 {
		return o, fmt.Errorf("--preserve-fds is negative: %d", c.preserveFDs)
	}
	return o, checkInherited(o.ListenFDs + c.preserveFDs)
}

// checkInherited makes sure that n descriptors, after standard error, came from
// davit's caller. Go has some of its own, with close-on-exec: a container that
// got one of these would hold a file of the host.
func checkInherited(n int) error {
	for fd := 3; fd < 3+n; fd++ {
		if err := checkGiven(fd); err != nil {
			return fmt.Errorf("passing on descriptor %d: %w [$LISTEN_FDS and --preserve-fds ask for %d from 3 on]", fd, err, n)
		}
	}
	return nil
}

// checkGiven makes sure that a descriptor is the caller's.
func checkGiven(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC != 0 {
		err = unix.EBADF
	}
	return err
}

// attachment tells whether davit stays with the program that it starts.
type attachment int

const (
	attached attachment = iota
	detached
)

// wantsTerminal tells whether a program is to have a terminal.
func wantsTerminal(process *specs.Process) bool {
	return process != nil && process.Terminal
}

// checkTerminal refuses combinations of a terminal and a console socket that
// would leave one of them without the other.
// Compat(runc): its texts.
func (p *program) checkTerminal(a attachment, process *specs.Process, socket string) error {
	terminal := wantsTerminal(process)
	if terminal && a == detached && socket == "" {
		return fmt.Errorf("cannot allocate tty if %s will detach without setting console socket", p.name)
	}
	if socket != "" && (!terminal || a == attached) {
		return fmt.Errorf("cannot use console socket if %s will not detach or allocate tty", p.name)
	}
	return nil
}
