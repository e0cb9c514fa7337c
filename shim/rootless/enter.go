package rootless

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/idmap"
)

// stageVar is set for the program when it is started again: the stage, and the
// number of the process that stays.
const stageVar = "_DAVIT_ROOTLESS"

// The stages. A process without ids in its user namespace loses its rights by
// execve(2), so the program is executed a second time, when it has them.
const (
	stageWaiting = "waiting" // in the namespace, for its ids
	stageInside  = "inside"  // as its root
)

// Enter is for the beginning of main, before anything is done that must not be
// done twice. For root, in whatever namespace, it does nothing. For others it
// runs the program again as root of a user namespace and of a new namespace of
// mounts, with the same arguments, environment and standard streams; then done
// says that this is over, and the caller is to exit with status: the program's
// own, or 128 and the number of the signal that ended it.
//
// The user namespace is that of the processes which are noted in a directory,
// while one of them lives, and else a new one: see [Note].
//
// Other descriptors are not passed on. A program whose parent is killed is
// killed too.
func Enter(notes string) (status int, done bool, err error) {
	stage, parent, err := currentStage()
	if err != nil {
		return 0, false, err
	}
	switch {
	case stage == stageWaiting:
		return 0, false, goOn(parent)
	case stage == stageInside:
		return 0, false, settle(parent)
	case os.Geteuid() == 0:
		return 0, false, nil
	}
	status, err = supervise(notes)
	return status, err == nil, err
}

// currentStage reads what the program was started again for.
func currentStage() (stage string, parent int, err error) {
	value, set := os.LookupEnv(stageVar)
	if !set {
		return "", 0, nil
	}
	stage, number, _ := strings.Cut(value, ":")
	parent, err = strconv.Atoi(number)
	if err != nil || stage != stageWaiting && stage != stageInside {
		return "", 0, fmt.Errorf("reading %s: %q is nothing of ours [unset it]", stageVar, value)
	}
	return stage, parent, nil
}

// stageEnv is the environment for a stage of the program.
func stageEnv(stage string, parent int) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, stageVar+"=") {
			env = append(env, e)
		}
	}
	return append(env, fmt.Sprintf("%s=%s:%d", stageVar, stage, parent))
}

// self is this program, whatever became of its file.
const self = "/proc/self/exe"

// goFD is the descriptor on which the waiting stage hears that it has its ids.
const goFD = 3

// goOn waits for the ids, and executes the program again.
func goOn(parent int) error {
	pipe := os.NewFile(goFD, "pipe")
	if n, err := pipe.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("waiting for the ids of a user namespace: the other end has gone (%w)", err)
	}
	pipe.Close()
	err := unix.Exec(self, os.Args, stageEnv(stageInside, parent))
	return fmt.Errorf("executing %s again: %w", os.Args[0], err)
}

// settle has the program die with the one that stays, and forgets the stage.
func settle(parent int) error {
	if err := os.Unsetenv(stageVar); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking to die with the parent: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("going on in a user namespace: the program that was started has ended")
	}
	return nil
}

// supervise runs the program in a namespace, and waits for its end.
func supervise(notes string) (status int, err error) {
	// A parent's death is that of the thread that made the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := catch()
	defer signals.stop()
	cmd, err := together(notes, start)
	if err != nil {
		return 0, fmt.Errorf("going on in a user namespace: %w", err)
	}
	signals.passTo(cmd.Process)
	status, err = statusOf(cmd.Wait())
	forget(notes, cmd.Process.Pid)
	return status, err
}

// start starts the program in a user namespace that is there, or in a new one where
// that is nil.
func start(ns *os.File) (*exec.Cmd, error) {
	if ns != nil {
		return join(ns)
	}
	return create()
}

// again is a command that is this program, with its arguments and streams.
func again(program, stage string) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Args = os.Args
	cmd.Env = stageEnv(stage, os.Getpid())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return cmd
}

// create starts the program in a new user namespace, and gives it its ids.
func create() (*exec.Cmd, error) {
	hear, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hear.Close()
	defer tell.Close()
	cmd := again(self, stageWaiting)
	cmd.ExtraFiles = []*os.File{hear}
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	if err := cmd.Start(); err != nil {
		return nil, refused(err)
	}
	err = giveIDs(cmd.Process.Pid)
	if err == nil {
		_, err = tell.Write([]byte{1})
	}
	if err != nil {
		return nil, errors.Join(err, end(cmd))
	}
	return cmd, nil
}

// end kills a program that was started in vain.
func end(cmd *exec.Cmd) error {
	err := cmd.Process.Kill()
	_ = cmd.Wait() // it was killed, as it says
	return err
}

// refused adds the setting that forbids user namespaces to an error.
func refused(err error) error {
	if reason := host.UserNSRefusal(); reason != "" {
		return fmt.Errorf("%w [%s]", err, reason)
	}
	return err
}

// giveIDs maps the ids of a new user namespace: ranges, where the user has them
// and the programs that write them are there.
func giveIDs(pid int) error {
	maps, err := idmap.Own(os.Geteuid(), os.Getegid())
	if err != nil {
		return err
	}
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			maps.UIDs, maps.GIDs = maps.UIDs[:1], maps.GIDs[:1]
		}
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	return idmap.Write(proc, pid, maps, idmap.Choose(maps, 0, os.Geteuid(), os.Getegid()))
}

// statusOf is the exit status for how a program ended.
func statusOf(err error) (int, error) {
	var ended *exec.ExitError
	if err == nil || !errors.As(err, &ended) {
		return 0, err
	}
	status := ended.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// Again tells, before [Enter], whether this is the program that was run again: its
// user namespace and its mounts end with it.
func Again() bool {
	return strings.HasPrefix(os.Getenv(stageVar), stageInside+":") || os.Getenv(aloneVar) == stageInside
}
