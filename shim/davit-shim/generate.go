package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
)

// generateCommand is davit-shim generate.
func (p *program) generateCommand() *cobra.Command {
	return p.group("generate", "print configuration for other programs", `Prints configuration by which other programs manage containers.`, (*program).generateSystemdCommand)
}

// generateSystemdCommand is davit-shim generate systemd.
func (p *program) generateSystemdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "systemd CONTAINER",
		Short: "print a systemd unit that starts and stops a container",
		Long: `Prints a unit for a container that was made. Put it into
/etc/systemd/system/container-NAME.service (for a user: ~/.config/systemd/user/),
and systemctl enable --now container-NAME.`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.generateSystemd(args[0]) },
	}
}

// unit is a container's unit. The program that waits in the foreground is what
// systemd watches: it passes the signal to stop on, and ends as the container does.
const unit = `# {{.Unit}}: put this file into /etc/systemd/system/, or into ~/.config/systemd/user/.
[Unit]
Description=Container {{.Name}} of {{.Program}}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={{.Command}} start --attach {{.Name}}
ExecStop={{.Command}} stop {{.Name}}
ExecStopPost=-{{.Command}} stop {{.Name}}
KillMode=mixed
TimeoutStopSec={{.Patience}}
Restart={{.Restart}}
SuccessExitStatus=130 137 143

[Install]
WantedBy={{.Target}}
`

func (p *program) generateSystemd(ref string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	if c.Config.AutoRemove {
		return fmt.Errorf("container %s is removed when it ends [make one without --rm]", ref)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := []string{quoted(self)}
	if p.globals.root != "" {
		root, err := filepath.Abs(p.globals.root)
		if err != nil {
			return err
		}
		command = append(command, "--root", quoted(root))
	}
	target := "multi-user.target"
	if os.Getuid() != 0 || p.inside {
		target = "default.target"
	}
	text, err := template.New("unit").Parse(unit)
	if err != nil {
		return err
	}
	return text.Execute(p.out, map[string]any{
		"Program": name, "Unit": "container-" + c.Config.Name + ".service", "Name": c.Config.Name,
		"Command": strings.Join(command, " "), "Patience": stopPatience(c), "Restart": restartOf(c), "Target": target,
	})
}

// stopPatience is how long systemd has to wait, in seconds: longer than the
// container may take.
func stopPatience(c *container.Container) string {
	const more = 20 * time.Second
	if c.Config.StopAfter() < 0 {
		return "infinity"
	}
	return fmt.Sprint(int((c.Config.StopAfter() + more).Seconds()))
}

// restartOf is systemd's policy: the container's own is done by its supervisor.
func restartOf(c *container.Container) string {
	if c.Config.Restart.Name == container.RestartNo || c.Config.Restart.Name == "" {
		return "on-failure"
	}
	return "no"
}

// quoted is a word as systemd reads it.
// Source: systemd.service(5), command lines; % is a specifier, $ a variable.
func quoted(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	if strings.ContainsAny(word, " \t\"'\\;") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
	}
	return word
}
