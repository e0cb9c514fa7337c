package change

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/davit-containers/davit/bundle/image"
)

// ErrOther is an instruction that does more than to change the configuration.
var ErrOther = errors.New("it is none of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR")

// Apply changes a configuration as an instruction says: `CMD ["sh"]`. Variables
// in it are those of the configuration.
// Source: https://docs.docker.com/reference/dockerfile/
func Apply(c *image.Config, instruction string) error {
	cmd, err := read(instruction)
	if err == nil {
		err = Expand(cmd, shell.NewLex('\\'), shell.EnvsFromSlice(c.Config.Env))
	}
	if err == nil {
		err = Instruction(c, cmd)
	}
	if err != nil {
		return fmt.Errorf("change %q: %w", instruction, err)
	}
	return nil
}

// read reads one instruction.
func read(text string) (instructions.Command, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.AST.Children) != 1 {
		return nil, errors.New("it is to be one instruction")
	}
	node := parsed.AST.Children[0]
	cmd, err := instructions.ParseCommand(node)
	var unknown *instructions.UnknownInstructionError
	if errors.As(err, &unknown) || strings.EqualFold(node.Value, "FROM") {
		err = ErrOther
	}
	return cmd, err
}

// Expand puts the values of variables into an instruction, in the places where
// its kind has them.
func Expand(cmd instructions.Command, lex *shell.Lex, env shell.EnvGetter) error {
	word := func(l *shell.Lex) instructions.SingleWordExpander {
		return func(w string) (string, error) {
			text, _, err := l.ProcessWord(w, env)
			return text, err
		}
	}
	if c, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		if err := c.Expand(word(lex)); err != nil {
			return err
		}
	}
	if c, ok := cmd.(instructions.SupportsSingleWordExpansionRaw); ok {
		raw := shell.NewLex('\\') // whatever the file's: as in a shell's here-document
		raw.SkipProcessQuotes = true
		if err := c.ExpandRaw(word(raw)); err != nil {
			return err
		}
	}
	if c, ok := cmd.(*instructions.ExposeCommand); ok {
		return expandPorts(c, lex, env)
	}
	return nil
}

// expandPorts is for EXPOSE, where a variable may have several ports.
func expandPorts(c *instructions.ExposeCommand, lex *shell.Lex, env shell.EnvGetter) error {
	var ports []string
	for _, p := range c.Ports {
		words, err := lex.ProcessWords(p, env)
		if err != nil {
			return err
		}
		ports = append(ports, words...)
	}
	c.Ports = ports
	return nil
}

// Instruction changes a configuration as an instruction says. Errors: ErrOther,
// and what is wrong with the instruction.
func Instruction(file *image.Config, cmd instructions.Command) error {
	c := &file.Config
	switch i := cmd.(type) {
	case *instructions.CmdCommand:
		c.Cmd = CommandLine(c, i.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		c.Entrypoint = CommandLine(c, i.ShellDependantCmdLine)
	case *instructions.EnvCommand:
		for _, e := range i.Env {
			c.Env = Set(c.Env, e.Key, e.Value)
		}
	case *instructions.ExposeCommand:
		return expose(c, i.Ports)
	case *instructions.HealthCheckCommand:
		health := v1.HealthConfig{
			Test: i.Health.Test, Interval: i.Health.Interval, Timeout: i.Health.Timeout, StartPeriod: i.Health.StartPeriod, Retries: i.Health.Retries,
		}
		c.Healthcheck, file.StartInterval = &health, i.Health.StartInterval
	case *instructions.LabelCommand:
		labels(c, i.Labels)
	case *instructions.OnbuildCommand:
		c.OnBuild = append(c.OnBuild, i.Expression)
	case *instructions.ShellCommand:
		c.Shell = i.Shell
	case *instructions.StopSignalCommand:
		c.StopSignal = i.Signal
	case *instructions.UserCommand:
		c.User = i.User
	case *instructions.VolumeCommand:
		volumes(c, i.Volumes)
	case *instructions.WorkdirCommand:
		c.WorkingDir = Within(c.WorkingDir, i.Path)
	default:
		return ErrOther
	}
	return nil
}

// CommandLine is a list of words, or a line for the shell.
func CommandLine(c *v1.Config, line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell || len(line.CmdLine) == 0 {
		return line.CmdLine
	}
	shell := c.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(append([]string{}, shell...), strings.Join(line.CmdLine, " "))
}

// Set sets a variable of a list NAME=VALUE in its place, or as the last. The
// list that was given stays as it is.
func Set(env []string, name, value string) []string {
	list := append([]string{}, env...)
	for i, entry := range list {
		if has, _, _ := strings.Cut(entry, "="); has == name {
			list[i] = name + "=" + value
			return list
		}
	}
	return append(list, name+"="+value)
}

// Within is a directory that is named in another one: absolute and clean.
func Within(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", dir, name)
}

func labels(c *v1.Config, pairs instructions.KeyValuePairs) {
	all := maps.Clone(c.Labels)
	if all == nil {
		all = map[string]string{}
	}
	for _, p := range pairs {
		all[p.Key] = p.Value
	}
	c.Labels = all
}

// expose are ports, with /tcp where they say nothing else.
func expose(c *v1.Config, ports []string) error {
	all := maps.Clone(c.ExposedPorts)
	if all == nil {
		all = map[string]struct{}{}
	}
	for _, port := range ports {
		number, protocol, given := strings.Cut(port, "/")
		if !given {
			protocol = "tcp"
		}
		if strings.Trim(number, "0123456789-") != "" || number == "" {
			return fmt.Errorf("%q is no port", port)
		}
		all[number+"/"+strings.ToLower(protocol)] = struct{}{}
	}
	c.ExposedPorts = all
	return nil
}

func volumes(c *v1.Config, dirs []string) {
	all := maps.Clone(c.Volumes)
	if all == nil {
		all = map[string]struct{}{}
	}
	for _, dir := range dirs {
		all[dir] = struct{}{}
	}
	c.Volumes = all
}
