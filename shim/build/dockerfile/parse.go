package dockerfile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/davit-containers/davit/bundle/image"
)

// Options is what a person wants of a file.
type Options struct {
	// Args are build arguments.
	Args map[string]string
	// Target is the name or the number of the stage that is wanted, "" for the last.
	Target string
	// Platform is what the image is for, and Host what builds it.
	Platform, Host v1.Platform
	// Labels are added to the target's.
	Labels map[string]string
	// Images gives the configurations of images.
	Images Images
}

// Images gives the configuration of an image for a platform, such as linux/arm64.
type Images func(name, platform string) (*image.Config, error)

// maxFile is how long a Dockerfile may be, in bytes.
const maxFile = 8 << 20

// File is a Dockerfile that was read, and is compiled once.
type File struct {
	o        Options
	lex      *shell.Lex
	globals  *variables // what FROM sees, and what ARG in a stage takes over
	args     []string   // names of arguments that were declared
	stages   []*stage
	target   *stage
	warnings []string
}

// stage is a stage of the file.
type stage struct {
	instructions.Stage
	number   int
	name     string // as it is shown
	base     string // with the variables' values
	platform string
	from     *stage // where the base is a stage
	needed   bool
	made     *Stage
}

// Read reads a Dockerfile, and finds out which stages are needed.
func Read(r io.Reader, o Options) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the Dockerfile: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("reading the Dockerfile: it has more than %d bytes", maxFile)
	}
	parsed, err := parser.Parse(strings.NewReader(string(text)))
	if err != nil {
		return nil, located(err)
	}
	stages, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, located(err)
	}
	if len(stages) == 0 {
		return nil, errors.New("the Dockerfile has no stage: it needs a FROM")
	}
	f := &File{o: o, lex: shell.NewLex(parsed.EscapeToken), globals: &variables{}}
	for _, w := range parsed.Warnings {
		f.warnings = append(f.warnings, w.Short)
	}
	for _, step := range []func() error{
		func() error { return f.readGlobals(args, stages) },
		func() error { return f.readStages(stages) },
		f.chooseTarget,
		func() error { return f.need(f.target) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// located puts the line that an error of the parser is of before its text.
func located(err error) error {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		return onLine(at.Locations[0][0].Start.Line, err)
	}
	return fmt.Errorf("reading the Dockerfile: %w", err)
}

// onLine says on which line something is wrong; 0: with what the base image asks for.
func onLine(line int, err error) error {
	if line == 0 {
		return fmt.Errorf("an instruction that the base image asks for: %w", err)
	}
	return fmt.Errorf("Dockerfile, line %d: %w", line, err)
}

// lineOf is the line that a range begins with.
func lineOf(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

// warn tells the person who wrote the file.
func (f *File) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}
