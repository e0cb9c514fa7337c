package idmap

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// runHelper runs newuidmap or newgidmap, which are set-user-ID programs and
// need nothing of this process's environment.
func runHelper(pid int, k kind, ids []specs.LinuxIDMapping) error {
	path, err := exec.LookPath(k.helper)
	if err != nil {
		return fmt.Errorf("mapping %s %s: %w [more than one's own id needs the package uidmap or shadow-utils]", k.word, text(ids), err)
	}
	cmd := exec.Command(path, append([]string{strconv.Itoa(pid)}, strings.Fields(lines(ids))...)...)
	cmd.Env = []string{}
	if err := sys.KeepDescriptors(); err != nil {
		return fmt.Errorf("starting %s: %w", k.helper, err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("mapping %s %s: %s: %w: %s [%s]",
			k.word, text(ids), k.helper, err, strings.Join(strings.Fields(string(out)), " "), k.refusal(path))
	}
	return nil
}
