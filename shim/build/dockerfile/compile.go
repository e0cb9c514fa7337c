package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/shim/change"
)

// Compile makes the plan. It is called once for a file.
func (f *File) Compile() (*Plan, error) {
	plan := &Plan{}
	for _, s := range f.stages {
		if !s.needed {
			continue
		}
		c, err := f.begin(s)
		if err == nil {
			err = c.all()
		}
		if err != nil {
			return nil, err
		}
		plan.Stages = append(plan.Stages, s.made)
		if s == f.target {
			break
		}
	}
	f.addLabels(f.target.made.Config)
	f.warnUnused()
	plan.Warnings = f.warnings
	return plan, nil
}

// warnUnused tells of build arguments that no ARG takes.
func (f *File) warnUnused() {
	var unused []string
	for name := range f.o.Args {
		if !slices.Contains(f.args, name) && !isProxy(name) {
			unused = append(unused, name)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		f.warn("no ARG takes the build argument %s", strings.Join(unused, ", "))
	}
}

// addLabels adds those that do not stand in the file.
func (f *File) addLabels(c *image.Config) {
	if len(f.o.Labels) == 0 {
		return
	}
	labels := maps.Clone(c.Config.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, f.o.Labels)
	c.Config.Labels = labels
}

// compiler makes the steps of one stage.
type compiler struct {
	file     *File
	stage    *stage
	made     *Stage
	config   *v1.Config
	env      variables // of the configuration, and build arguments
	hasCmd   bool      // the stage has a CMD of its own
	triggers []string  // of the base
}

// begin begins a stage with its base's configuration.
func (f *File) begin(s *stage) (*compiler, error) {
	base, config, err := f.base(s)
	if err != nil {
		return nil, onLine(lineOf(s.Location), err)
	}
	s.made = &Stage{Name: s.name, Base: base, Config: config}
	c := &compiler{file: f, stage: s, made: s.made, config: &config.Config, triggers: config.Config.OnBuild}
	config.Config.OnBuild = nil
	if !slices.ContainsFunc(c.config.Env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		c.config.Env = change.Set(c.config.Env, "PATH", defaultPath)
	}
	c.env.setAll(c.config.Env)
	if base.Kind == FromImage {
		s.made.count = 1
	}
	return c, nil
}

// defaultPath is $PATH where the base has none.
// Compat(buildkit): its text.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// base is the stage's base, with a configuration of its own to change.
func (f *File) base(s *stage) (Source, *image.Config, error) {
	source := s.source()
	switch source.Kind {
	case FromStage:
		source.Stage = s.from.made
		return source, s.from.made.Config.DeepCopy(), nil
	case Scratch:
		config := &image.Config{}
		config.OS, config.Architecture, config.Variant = f.o.Platform.OS, f.o.Platform.Architecture, f.o.Platform.Variant
		config.Config.WorkingDir = "/"
		return source, config, nil
	}
	config, err := f.o.Images(source.Image, source.Platform)
	if err != nil {
		return source, nil, err
	}
	return source, config.DeepCopy(), nil
}

// all makes the steps: those that the base asks for first.
func (c *compiler) all() error {
	for _, text := range c.triggers {
		cmd, err := c.trigger(text)
		if err == nil {
			err = c.instruction(cmd, 0)
		}
		if err != nil {
			return onLine(0, fmt.Errorf("%q: %w", text, err))
		}
	}
	for _, cmd := range c.stage.Commands {
		line := lineOf(cmd.Location())
		if err := c.instruction(cmd, line); err != nil {
			return onLine(line, err)
		}
	}
	return nil
}

// trigger reads an instruction that the base asks for.
func (c *compiler) trigger(text string) (instructions.Command, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.AST.Children) != 1 {
		return nil, fmt.Errorf("it is to be one instruction")
	}
	cmd, err := instructions.ParseCommand(parsed.AST.Children[0])
	if err != nil {
		return nil, err
	}
	for _, name := range sourcesOf(cmd) {
		from, err := c.file.earlier(c.stage, name)
		if err != nil {
			return nil, err
		}
		if from != nil && from.made == nil {
			return nil, fmt.Errorf("from=%s: nothing else in the Dockerfile needs that stage [name it in COPY --from]", name)
		}
	}
	return cmd, nil
}

// instruction makes one step.
func (c *compiler) instruction(cmd instructions.Command, line int) error {
	step := &Step{Line: line}
	if arg, ok := cmd.(*instructions.ArgCommand); ok {
		return c.arg(arg, step)
	}
	if err := change.Expand(cmd, c.file.lex, &c.env); err != nil {
		return err
	}
	step.Text = oneLine(c.shown(cmd))
	if err := c.do(cmd, step); err != nil {
		return err
	}
	if step.History == "" {
		step.History = step.Text
	}
	if step.Run != nil || step.Copy != nil || step.Workdir != nil {
		c.made.count++
		step.Number = c.made.count
	}
	c.made.Steps = append(c.made.Steps, step)
	return nil
}

// do does what an instruction says.
func (c *compiler) do(cmd instructions.Command, step *Step) error {
	switch i := cmd.(type) {
	case *instructions.RunCommand:
		return c.run(i, step)
	case *instructions.CopyCommand:
		return c.copy(i, step)
	case *instructions.AddCommand:
		return c.add(i, step)
	case *instructions.MaintainerCommand:
		c.made.Config.Author = i.Maintainer
		return nil
	case *instructions.WorkdirCommand:
		if err := change.Instruction(c.made.Config, i); err != nil {
			return err
		}
		step.History = "WORKDIR " + c.config.WorkingDir
		if c.config.WorkingDir != "/" {
			step.Workdir = &Workdir{Path: c.config.WorkingDir, User: c.config.User}
		}
		return nil
	}
	return c.configure(cmd)
}

// configure does what an instruction says of the configuration alone.
func (c *compiler) configure(cmd instructions.Command) error {
	if err := change.Instruction(c.made.Config, cmd); err != nil {
		return err
	}
	switch i := cmd.(type) {
	case *instructions.EnvCommand:
		for _, e := range i.Env {
			c.env.set(e.Key, e.Value)
		}
	case *instructions.CmdCommand:
		c.hasCmd = true
	case *instructions.EntrypointCommand:
		if !c.hasCmd { // the base's command was for the base's entrypoint
			c.config.Cmd = nil
		}
	case *instructions.StopSignalCommand:
		return checkSignal(i.Signal)
	}
	return nil
}

// arg declares a build argument. Its value is for the instructions that follow,
// not for the image.
func (c *compiler) arg(cmd *instructions.ArgCommand, step *Step) error {
	var names []string
	for _, a := range cmd.Args {
		name, err := c.word(a.Key)
		if err != nil {
			return err
		}
		c.file.args = append(c.file.args, name)
		names = append(names, name)
		value, given, err := c.argValue(name, a.Value)
		if err != nil {
			return err
		}
		if given {
			c.env.set(name, value)
		}
	}
	step.Text = "ARG " + strings.Join(names, " ")
	step.History = step.Text
	c.made.Steps = append(c.made.Steps, step)
	return nil
}

// argValue is what was given, or else the default, or else what an ARG before the
// first FROM has.
func (c *compiler) argValue(name string, otherwise *string) (string, bool, error) {
	if value, given := c.file.o.Args[name]; given {
		return value, true, nil
	}
	if otherwise != nil {
		value, err := c.word(*otherwise)
		return value, true, err
	}
	value, given := c.file.globals.Get(name)
	return value, given, nil
}

// word puts the values of variables into a word.
func (c *compiler) word(word string) (string, error) {
	text, _, err := c.file.lex.ProcessWord(word, &c.env)
	return text, err
}
