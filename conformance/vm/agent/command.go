package agent

import (
	"os"
	"os/exec"
	"strconv"

	"github.com/davit-containers/davit/conformance/vm/wire"
)

// The guest's ordinary user, as the image is made.
const userID = 1000

// command is the program that runs a request: in a scope of its own below the
// system's slice or the user's, delegated, without a limit on its tasks.
func command(request wire.Request) *exec.Cmd {
	args := []string{"--scope", "--quiet", "--collect", "--property=Delegate=yes", "--property=TasksMax=infinity"}
	env := append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=dumb")
	if request.User {
		id := strconv.Itoa(userID)
		args = append(args, "--uid="+id, "--gid="+id, "--slice=user-"+id+".slice")
		env = append(env, "XDG_RUNTIME_DIR="+runtimeDir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+runtimeDir+"/bus")
	} else {
		env = append(env, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash")
	}
	cmd := exec.Command("systemd-run", append(append(args, "--"), request.Args...)...)
	cmd.Env = append(env, request.Env...)
	cmd.Dir = request.Dir
	return cmd
}
