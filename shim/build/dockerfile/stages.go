package dockerfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/davit-containers/davit/bundle/image"
)

// scratch is the name of the base that has nothing.
const scratch = "scratch"

// readStages finds the bases.
func (f *File) readStages(stages []instructions.Stage) error {
	for i, s := range stages {
		one := &stage{Stage: s, number: i, name: s.Name, platform: written(f.o.Platform)}
		if one.name == "" {
			one.name = fmt.Sprintf("stage-%d", i)
		}
		if err := f.readBase(one); err != nil {
			return onLine(lineOf(s.Location), err)
		}
		f.stages = append(f.stages, one)
	}
	return nil
}

// readBase puts the values of variables into FROM.
func (f *File) readBase(s *stage) (err error) {
	if s.base, _, err = f.lex.ProcessWord(s.BaseName, f.globals); err != nil {
		return err
	}
	if s.base == "" {
		return fmt.Errorf("the base %q is empty [an ARG before the first FROM gives it a value]", s.BaseName)
	}
	if s.Platform != "" {
		text, _, err := f.lex.ProcessWord(s.Platform, f.globals)
		if err != nil {
			return err
		}
		p, err := image.ParsePlatform(text)
		if err != nil {
			return err
		}
		s.platform = written(p)
	}
	s.from = f.named(s.base)
	return nil
}

// named is the last stage with a name, among those that were read; nil: none.
func (f *File) named(name string) (found *stage) {
	for _, s := range f.stages {
		if s.Name != "" && strings.EqualFold(s.Name, name) {
			found = s
		}
	}
	return found
}

// chooseTarget finds the stage that is wanted.
func (f *File) chooseTarget() error {
	f.target = f.stages[len(f.stages)-1]
	if f.o.Target == "" {
		return nil
	}
	if f.target = f.named(f.o.Target); f.target != nil {
		return nil
	}
	n, err := strconv.Atoi(f.o.Target)
	if err != nil || n < 0 || n >= len(f.stages) {
		return fmt.Errorf("target %q: the Dockerfile has no stage of that name", f.o.Target)
	}
	f.target = f.stages[n]
	return nil
}

// need marks a stage, and all that it needs. What is needed stands before it.
func (f *File) need(s *stage) error {
	if s.needed {
		return nil
	}
	s.needed = true
	if s.from != nil {
		if err := f.need(s.from); err != nil {
			return err
		}
	}
	for _, cmd := range s.Commands {
		for _, name := range sourcesOf(cmd) {
			from, err := f.earlier(s, name)
			if err == nil && from != nil {
				err = f.need(from)
			}
			if err != nil {
				return onLine(lineOf(cmd.Location()), err)
			}
		}
	}
	return nil
}

// sourcesOf are the names of stages and images that an instruction takes files of.
func sourcesOf(cmd instructions.Command) []string {
	switch c := cmd.(type) {
	case *instructions.CopyCommand:
		if c.From != "" {
			return []string{c.From}
		}
	case *instructions.RunCommand:
		var names []string
		for _, m := range instructions.GetMounts(c) {
			if m.From != "" {
				names = append(names, m.From)
			}
		}
		return names
	}
	return nil
}

// errLater is a stage that takes files of itself or of a later one.
var errLater = errors.New("a stage can only take files of stages before it")

// earlier is the stage before s with a name or a number; nil: it is an image's.
func (f *File) earlier(s *stage, name string) (*stage, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 0 || n >= len(f.stages) {
			return nil, fmt.Errorf("from=%s: there is no such stage", name)
		}
		if n >= s.number {
			return nil, fmt.Errorf("from=%s: %w", name, errLater)
		}
		return f.stages[n], nil
	}
	for i := s.number - 1; i >= 0; i-- {
		if strings.EqualFold(f.stages[i].Name, name) && f.stages[i].Name != "" {
			return f.stages[i], nil
		}
	}
	if f.named(name) != nil {
		return nil, fmt.Errorf("from=%s: %w", name, errLater)
	}
	return nil, nil
}

// Bases are the images that the stages begin with, each once: they can be fetched
// side by side before the file is compiled.
func (f *File) Bases() []Source {
	var list []Source
	seen := map[Source]bool{}
	for _, s := range f.stages {
		if source := s.source(); s.needed && source.Kind == FromImage && !seen[source] {
			seen[source] = true
			list = append(list, source)
		}
	}
	return list
}

// source is the stage's base, unless that is a stage.
func (s *stage) source() Source {
	switch {
	case s.from != nil:
		return Source{Kind: FromStage}
	case s.base == scratch:
		return Source{Kind: Scratch}
	}
	return Source{Kind: FromImage, Image: s.base, Platform: s.platform}
}

// written is a platform as people write it: the usual variant is left out.
// Compat(buildkit): in TARGETPLATFORM.
func written(p v1.Platform) string {
	if p.Architecture == "arm64" && p.Variant == "v8" {
		p.Variant = ""
	}
	return p.String()
}
