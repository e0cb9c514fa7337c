package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// scriptLine is a line of a script that calls davit-shim, in words.
type scriptLine []string

// The users of a script's lines.
const (
	asRoot = "root"
	asUser = "user"
)

var (
	sectionLine = regexp.MustCompile(`(?m)^-- (.*) --\s*$`)
	// answers are lines that call nothing.
	answers = regexp.MustCompile(`^(! )?(stdout|stderr|cmp|grep|#|\[!?\w+\] (skip|stdout|stderr))`)
)

// scriptLines are the lines of all scripts, by who runs them: a section that `as` has
// run, or user.sh, belongs to whom it names, and all else to root.
func scriptLines(t *testing.T) map[string][]scriptLine {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	all := map[string][]scriptLine{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "\\\n", " ")
		parts := sectionLine.Split(text, -1)
		names := append([][]string{{"", ""}}, sectionLine.FindAllStringSubmatch(text, -1)...)
		for i, part := range parts {
			for _, who := range whose(parts[0], names[i][1]) {
				all[who] = append(all[who], wordsOf(part)...)
			}
		}
	}
	return all
}

// whose is who runs a section, "" for the commands themselves.
func whose(commands, section string) (all []string) {
	for _, who := range []string{asRoot, asUser} {
		if strings.Contains(commands, "as "+who+" "+section+"\n") && section != "" {
			all = append(all, who)
		}
	}
	switch {
	case len(all) > 0:
		return all
	case strings.HasSuffix(section, "user.sh"):
		return []string{asUser}
	}
	return []string{asRoot}
}

func wordsOf(text string) (lines []scriptLine) {
	for line := range strings.Lines(text) {
		if !answers.MatchString(strings.TrimSpace(line)) {
			lines = append(lines, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n'\"();|&$<>`", r) }))
		}
	}
	return lines
}

// after is what follows a command in a line, if it is there.
func (l scriptLine) after(command string) (scriptLine, bool) {
	for word := range strings.FieldsSeq(command) {
		i := slices.Index(l, word)
		if i < 0 {
			return nil, false
		}
		l = l[i+1:]
	}
	return l, true
}

// gives says whether a line gives a command a flag.
func (l scriptLine) gives(command string, flag *pflag.Flag) bool {
	rest, ok := l.after(command)
	if !ok {
		return false
	}
	return slices.ContainsFunc(rest, func(word string) bool {
		long, _, _ := strings.Cut(word, "=")
		letters := strings.TrimLeft(word, "-")
		short := flag.Shorthand != "" && strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && strings.Contains(letters, flag.Shorthand)
		return long == "--"+flag.Name || short
	})
}

// without are flags that no script gives, by who runs it, with the reason. A command
// that ends with a space stands for all below it.
var without = map[string]map[string]string{
	asRoot: {
		"run --blkio-weight":    "needs a disk whose scheduler knows weights: package options has it",
		"update --blkio-weight": "needs a disk whose scheduler knows weights: package options has it",
		"run --detach-keys":     "terminal has it of attach, exec and start",
		"run --ip6":             "package links' tests",
		"network connect --ip6": "package links' tests",
		"bundle --volatile":     "package rootfs' tests",
		"bundle --cgroups-path": "package config's tests",
		"bundle --progress":     "load has the same",
		"bundle --network":      "package options' tests",
	},
	asUser: {
		"network ":                 "rootlessnetwork has networks of a user; the flags are root's code",
		"run --ip":                 "as network's",
		"run --mac-address":        "as network's",
		"run --network-alias":      "as network's",
		"run --device-read":        "the user's systemd has no controller for disks",
		"run --device-write":       "the user's systemd has no controller for disks",
		"run --memory-swappiness":  "cgroup v1 alone has it, of which a user has nothing",
		"run --oom-kill-disable":   "cgroup v1 alone has it, of which a user has nothing",
		"run --uidmap":             "refused: the user namespace is the user's",
		"run --gidmap":             "refused: the user namespace is the user's",
		"run --group-add":          "the scripts' user has one group",
		"run --device-cgroup-rule": "only root makes devices",
		"update --":                "the cgroups are systemd's: rootlesscgroups has --memory, and package engine the others",
		"run --cpu":                "as update's",
		"run --memory-reservation": "as update's",
		"run --cgroup-parent":      "as update's",
		" --cgroup-manager":        "rootlesscgroups has it, in delegated.sh",
		"attach":                   "terminal has it, where the user who tests may have terminals",
		"exec --detach-keys":       "as attach",
		"start --detach-keys":      "as attach",
		"run --publish-all":        "rootlessnetwork has --publish",
		"run --uts":                "flags has it, as --$ns",
		"run --ipc":                "flags has it, as --$ns",
		"run --pid":                "the host's is bound: package config's tests",
		"bundle":                   "rootless has it; its flags are run's",
	},
}

// excused is the reason for which a flag is given in no script, "" for none.
func excused(who, command, flag string) string {
	forms := []string{command}
	if slices.Contains(makers, command) {
		forms = append(forms, "run")
	}
	for _, by := range []string{who, asRoot} {
		for key, reason := range without[by] {
			if slices.ContainsFunc(forms, func(form string) bool { return strings.HasPrefix(form+" --"+flag, key) }) {
				return reason
			}
		}
	}
	return ""
}

// makers are commands that share the flags of makers a container: a line of one of
// them is one of all.
var makers = []string{"run", "create", "bundle"}

// TestEveryFlag wants each command with each flag in a script, as root and as a user.
func TestEveryFlag(t *testing.T) {
	lines := scriptLines(t)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		command := strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), name), " ")
		forms := []string{command}
		if slices.Contains(makers, command) {
			forms = makers
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for who := range without {
				if f.Hidden || f.Name == "help" || excused(who, command, f.Name) != "" {
					continue
				}
				given := func(l scriptLine) bool {
					return slices.ContainsFunc(forms, func(form string) bool { return l.gives(form, f) })
				}
				if !slices.ContainsFunc(lines[who], given) {
					t.Errorf("%s: no script has davit-shim %s --%s, or says in `without` why", who, command, f.Name)
				}
			}
		})
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				visit(sub)
			}
		}
	}
	visit(newProgram().tree())
}
