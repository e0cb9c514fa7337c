package dockerfile

import (
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// variables are names with values, in the order in which they were first set.
type variables struct {
	names  []string
	values map[string]string
}

// Get is for the parser's lexer.
func (v *variables) Get(name string) (string, bool) {
	value, ok := v.values[name]
	return value, ok
}

// Keys is for the parser's lexer.
func (v *variables) Keys() []string { return v.names }

func (v *variables) set(name, value string) {
	if v.values == nil {
		v.values = map[string]string{}
	}
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

// list is NAME=VALUE of each.
func (v *variables) list() []string {
	list := []string{}
	for _, name := range v.names {
		list = append(list, name+"="+v.values[name])
	}
	return list
}

// setAll sets those of a list NAME=VALUE.
func (v *variables) setAll(list []string) {
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		v.set(name, value)
	}
}

// proxies are arguments that need no ARG, and that no result depends on.
// Compat(buildkit): their names.
var proxies = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}

func isProxy(name string) bool { return slices.Contains(proxies, strings.ToUpper(name)) }

// proxyVariables are those that were given.
func (f *File) proxyVariables() []string {
	var list []string
	for name, value := range f.o.Args {
		if isProxy(name) {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list
}

// readGlobals sets the platforms' variables, and those that stand before the
// first FROM.
func (f *File) readGlobals(args []instructions.ArgCommand, stages []instructions.Stage) error {
	target := f.o.Target
	if target == "" {
		target = stages[len(stages)-1].Name
	}
	if target == "" {
		target = "default"
	}
	platform := func(prefix string, p v1.Platform) {
		f.globals.set(prefix+"PLATFORM", written(p))
		f.globals.set(prefix+"OS", p.OS)
		f.globals.set(prefix+"ARCH", p.Architecture)
		f.globals.set(prefix+"VARIANT", p.Variant)
	}
	platform("BUILD", f.o.Host)
	platform("TARGET", f.o.Platform)
	f.globals.set("TARGETSTAGE", target)
	for name := range f.globals.values {
		if value, given := f.o.Args[name]; given {
			f.globals.set(name, value)
		}
	}
	f.args = slices.Clone(f.globals.names)
	for _, cmd := range args {
		if err := f.global(cmd); err != nil {
			return onLine(lineOf(cmd.Location()), err)
		}
	}
	return nil
}

// global is an ARG before the first FROM.
func (f *File) global(cmd instructions.ArgCommand) error {
	for _, a := range cmd.Args {
		f.args = append(f.args, a.Key)
		value, given := f.o.Args[a.Key]
		if !given && a.Value != nil {
			text, _, err := f.lex.ProcessWord(*a.Value, f.globals)
			if err != nil {
				return err
			}
			value, given = text, true
		}
		if given {
			f.globals.set(a.Key, value)
		}
	}
	return nil
}
