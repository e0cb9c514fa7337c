package dockerfile

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/davit-containers/davit/shim/change"
)

// run is RUN.
func (c *compiler) run(cmd *instructions.RunCommand, step *Step) error {
	if instructions.GetSecurity(cmd) != instructions.SecuritySandbox {
		return errors.New("--security=insecure: a build has no more rights than a container")
	}
	if slices.Contains(cmd.FlagsUsed, "device") {
		return errors.New("--device: a build has no devices")
	}
	run := &Run{Env: c.env.list(), Dir: c.workdir(), User: c.config.User}
	if network := instructions.GetNetwork(cmd); network != instructions.NetworkDefault {
		run.Network = network
	}
	line, err := run.here(cmd)
	if err != nil {
		return err
	}
	if run.Args = change.CommandLine(c.config, line); run.Script != "" {
		run.Args = []string{ScriptPath}
	}
	run.Proxies = slices.DeleteFunc(c.file.proxyVariables(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		_, set := c.env.Get(name)
		return set
	})
	if run.Mounts, err = c.mounts(cmd); err != nil {
		return err
	}
	step.Run, step.History = run, "RUN "+strings.Join(run.Args, " ")
	return nil
}

// workdir is where a program runs.
func (c *compiler) workdir() string { return change.Within("/", c.config.WorkingDir) }

// here takes the here-documents of RUN into its command: one alone is what is to
// be run, with its own interpreter or with the shell; others are the shell's.
// Compat(buildkit): which is which.
func (r *Run) here(cmd *instructions.RunCommand) (instructions.ShellDependantCmdLine, error) {
	line := cmd.ShellDependantCmdLine
	if len(line.Files) == 0 {
		return line, nil
	}
	if len(line.CmdLine) != 1 || !line.PrependShell {
		return line, fmt.Errorf("a here-document goes with the shell alone")
	}
	first := line.Files[0]
	doc, err := parser.ParseHeredoc(line.CmdLine[0])
	switch {
	case err != nil:
		return line, err
	case doc == nil:
		line.CmdLine = []string{withDocuments(line)}
		return line, nil
	}
	data := first.Data
	if first.Chomp {
		data = parser.ChompHeredocContent(data)
	}
	if strings.HasPrefix(data, "#!") {
		r.Script = data
	}
	line.CmdLine = []string{data}
	return line, nil
}

// withDocuments is a command with its here-documents below it, as a shell reads it.
func withDocuments(line instructions.ShellDependantCmdLine) string {
	var text strings.Builder
	text.WriteString(line.CmdLine[0])
	for _, f := range line.Files {
		text.WriteString("\n" + f.Data + f.Name)
	}
	return text.String()
}

// mounts are RUN --mount.
func (c *compiler) mounts(cmd *instructions.RunCommand) ([]Mount, error) {
	var list []Mount
	for _, given := range instructions.GetMounts(cmd) {
		m, err := c.mount(given)
		if err == nil && m.Target != "" && slices.ContainsFunc(list, func(x Mount) bool { return x.Target == m.Target }) {
			err = errors.New("there are two mounts on it")
		}
		if err != nil {
			return nil, fmt.Errorf("--mount on %q: %w", given.Target, err)
		}
		list = append(list, m)
	}
	return list, nil
}

func (c *compiler) mount(m *instructions.Mount) (Mount, error) {
	made := Mount{
		Type: string(m.Type), Source: m.Source, ReadOnly: m.ReadOnly, Size: m.SizeLimit, ID: m.CacheID, Required: m.Required,
		Sharing: string(m.CacheSharing), Mode: number(m.Mode), UID: number(m.UID), GID: number(m.GID),
	}
	if m.Target != "" {
		made.Target = change.Within(c.config.WorkingDir, m.Target)
	}
	switch m.Type {
	case instructions.MountTypeSSH:
		return made, errors.New("type=ssh: a build has no agent [give the key as a secret]")
	case instructions.MountTypeSecret:
		secret(&made, m)
	case instructions.MountTypeCache:
		if made.ID == "" {
			made.ID = made.Target
		}
		if made.Sharing == "" {
			made.Sharing = string(instructions.MountSharingShared)
		}
	}
	if made.Target == "/" || made.Target == "" && made.Env == "" {
		return made, errors.New("it needs a target below /")
	}
	if m.Type == instructions.MountTypeBind || m.From != "" {
		from := c.source(m.From)
		made.From = &from
	}
	return made, nil
}

// secret is a file in /run/secrets unless something else is said.
func secret(made *Mount, m *instructions.Mount) {
	if made.ID == "" {
		made.ID = path.Base(m.Source)
		if m.Source == "" {
			made.ID = path.Base(m.Target)
		}
	}
	made.Source, made.ReadOnly = "", true
	if m.Env != nil {
		made.Env = *m.Env
		if made.Env == "" {
			made.Env = made.ID
		}
		return
	}
	if made.Target == "" {
		made.Target = "/run/secrets/" + path.Base(made.ID)
	}
}

// number is a number that may not be given.
func number(n *uint64) *uint32 {
	if n == nil {
		return nil
	}
	small := uint32(*n) // the parser takes 32 bits
	return &small
}

// source is what from= names; "" is the context.
func (c *compiler) source(name string) Source {
	if name == "" {
		return Source{Kind: Context}
	}
	if name == scratch {
		return Source{Kind: Scratch}
	}
	if from, err := c.file.earlier(c.stage, name); err == nil && from != nil {
		return Source{Kind: FromStage, Stage: from.made}
	}
	return Source{Kind: FromImage, Image: name, Platform: c.stage.platform}
}
