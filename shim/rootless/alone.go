package rootless

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// aloneVar is set for the program when it is started again to be alone.
const aloneVar = "_DAVIT_ALONE"

// Alone has the program go on in a new namespace of processes and a new namespace
// of mounts, whose first process it is: however it ends, the kernel ends all that
// it has started, and its mounts are gone. It runs the program again, as [Enter]
// does and with the same results; it comes after Enter, which gives a user the
// rights for it. again is what [Again] was, and is there.
func Alone(again bool) (status int, done bool, err error) {
	if os.Getenv(aloneVar) != "" {
		return 0, false, settleAlone()
	}
	runtime.LockOSThread() // a parent's death is that of the thread
	defer runtime.UnlockOSThread()
	hear, tell, err := os.Pipe()
	if err != nil {
		return 0, false, err
	}
	defer hear.Close()
	defer tell.Close()
	signals := catch()
	defer signals.stop()
	cmd := exec.Command(self)
	cmd.Args, cmd.Env = os.Args, append(os.Environ(), aloneVar+"="+place(again))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{hear}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, false, fmt.Errorf("going on in a namespace of processes: %w", err)
	}
	signals.passTo(cmd.Process)
	status, err = statusOf(cmd.Wait())
	return status, err == nil, err
}

// place is where a program goes on alone, for its environment.
func place(again bool) string {
	if again {
		return stageInside
	}
	return "root"
}

// settleAlone makes the namespaces the program's own.
func settleAlone() error {
	if err := os.Unsetenv(aloneVar); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking to die with the parent: %w", err)
	}
	if err := parentLives(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keeping mounts to this program: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc of a namespace of processes: %w [in a container, its /proc must not be masked]", err)
	}
	return nil
}

// parentLives looks whether the program that stays was killed before this one
// could ask to die with it: then nobody holds the other end of the pipe.
func parentLives() error {
	unix.CloseOnExec(goFD)
	ends := []unix.PollFd{{Fd: goFD, Events: unix.POLLIN}}
	_, err := unix.Poll(ends, 0)
	if closing := unix.Close(goFD); err == nil {
		err = closing
	}
	if err == nil && ends[0].Revents != 0 {
		err = errors.New("going on in a namespace of processes: the program that was started has ended")
	}
	return err
}
