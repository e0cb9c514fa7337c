package idmap

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func writeByHelpers(pid int, m Maps) error {
	if err := runHelper(pid, uids, m.UIDs); err != nil {
		return err
	}
	return runHelper(pid, gids, m.GIDs)
}

// runHelper runs newuidmap or newgidmap, which are set-user-ID programs and
// need nothing of this process's environment.
func runHelper(pid int, k kind, ids []specs.LinuxIDMapping) error {
	if len(ids) == 0 {
		return nil
	}
	path, err := exec.LookPath(k.helper)
	if err != nil {
		return fmt.Errorf("mapping %s %s: %w [more than one's own id needs the package uidmap or shadow-utils]", k.word, text(ids), err)
	}
	cmd := exec.Command(path, append([]string{strconv.Itoa(pid)}, strings.Fields(lines(ids))...)...)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("mapping %s %s: %s: %w: %s [a line in %s must allow these ids to the user]",
			k.word, text(ids), k.helper, err, strings.Join(strings.Fields(string(out)), " "), k.allowed)
	}
	return nil
}
