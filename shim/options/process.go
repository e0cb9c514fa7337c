package options

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// environment is that of the files, then that of the flags.
func (f *Flags) environment(w *Wanted) (err error) {
	w.Env, err = Environment(f.envFiles, f.env)
	return err
}

// Environment is what --env-file and -e say: that of the files, then that of the
// flags, as NAME=VALUE, or as NAME for what is to be removed.
func Environment(files, flags []string) ([]string, error) {
	var env []string
	for _, name := range files {
		lines, err := linesOf("--env-file", name)
		if err != nil {
			return nil, err
		}
		for _, text := range lines {
			if name, _, _ := strings.Cut(text, "="); strings.ContainsAny(name, " \t") {
				return nil, fmt.Errorf("--env-file: variable %q contains whitespaces", name)
			}
			env = append(env, callers(text)...)
		}
	}
	for _, entry := range flags {
		env = append(env, callers(entry)...)
	}
	return env, nil
}

// linesOf are the lines of a flag's file, but for empty ones and comments.
func linesOf(flag, name string) ([]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	var lines []string
	for line := range bytes.Lines(data) {
		text := strings.TrimLeft(strings.TrimRight(string(line), "\r\n"), " \t")
		if text != "" && text[0] != '#' {
			lines = append(lines, text)
		}
	}
	return lines, nil
}

// callers gives a variable without a value that of the caller. One that the
// caller does not have is removed.
// Compat(moby): -e NAME.
func callers(entry string) []string {
	if strings.Contains(entry, "=") {
		return []string{entry}
	}
	if value, ok := os.LookupEnv(entry); ok {
		return []string{entry + "=" + value}
	}
	return []string{entry}
}

// pairs are the flags that are NAME=VALUE.
func (f *Flags) pairs(w *Wanted) (err error) {
	if w.Sysctl, err = pairs("--sysctl", f.sysctls); err != nil {
		return err
	}
	w.Annotations, err = pairs("--annotation", f.annotations)
	return err
}

func pairs(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, entry := range list {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s %q: it is NAME=VALUE", flag, entry)
		}
		m[name] = value
	}
	return m, nil
}

// rlimits are the process's limits; -1 is none.
func (f *Flags) rlimits(w *Wanted) error {
	for _, text := range f.ulimits {
		u, err := units.ParseUlimit(text)
		if err != nil {
			return fmt.Errorf("--ulimit %q: %w", text, err)
		}
		w.Rlimits = append(w.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard),
		})
	}
	return nil
}
