package agent

import (
	"fmt"
	"os/exec"
	"strconv"
)

// runtimeDir is where the user's session has its sockets.
var runtimeDir = "/run/user/" + strconv.Itoa(userID)

// startSession starts the user's systemd and D-Bus, if they do not run.
func startSession() error {
	unit := fmt.Sprintf("user@%d.service", userID)
	if out, err := exec.Command("systemctl", "start", unit).CombinedOutput(); err != nil {
		return fmt.Errorf("starting %s: %w: %s", unit, err, out)
	}
	return nil
}
