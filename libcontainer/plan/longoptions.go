package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// maxOptionValue is what fsconfig(2) takes, in bytes.
const maxOptionValue = 255

// tooLong tells whether an option can only be given to mount(2), which takes
// all of them in one page.
func tooLong(option string) bool {
	_, value, _ := strings.Cut(option, "=")
	return len(value) > maxOptionValue
}

// HasLongOptions tells whether a mount's options go beyond fsconfig(2), so that
// it matters what else the file system takes.
func HasLongOptions(options []string) bool {
	for _, o := range splitData(options) {
		if tooLong(o) {
			return true
		}
	}
	return false
}

// appendLayers gives overlayfs its lower directories one by one, where the list
// of them is too long. Layers of data only, behind "::", have another name.
// Linux 6.5: the option lowerdir+. Linux 6.8: datadir+.
func appendLayers(options []string) []string {
	var result []string
	for _, o := range options {
		list, found := strings.CutPrefix(o, "lowerdir=")
		if !found || !tooLong(o) || strings.Contains(list, "::") {
			result = append(result, o)
			continue
		}
		for _, layer := range splitEscaped(list) {
			result = append(result, "lowerdir+="+layer)
		}
	}
	return result
}

// splitEscaped splits at colons, and drops the backslashes before those that
// are part of a name.
func splitEscaped(list string) []string {
	names := []string{""}
	for i := 0; i < len(list); i++ {
		last := &names[len(names)-1]
		switch c := list[i]; {
		case c == '\\' && i+1 < len(list):
			i++
			*last += list[i : i+1]
		case c == ':':
			names = append(names, "")
		default:
			*last += list[i : i+1]
		}
	}
	return names
}

// classicFlags are what mount(2) takes as a flag and fsconfig(2) as a word.
var classicFlags = [...]struct {
	name string
	flag uint64
}{
	{"ro", unix.MS_RDONLY},
	{"sync", unix.MS_SYNCHRONOUS},
	{"dirsync", unix.MS_DIRSYNC},
	{"lazytime", unix.MS_LAZYTIME},
	{"mand", unix.MS_MANDLOCK},
	{"async", 0}, {"nolazytime", 0}, {"nomand", 0},
}

// classicOptions are the options in the words of mount(2).
func classicOptions(options []string) (flags uint64, data string) {
	var rest []string
next:
	for _, o := range options {
		for _, f := range classicFlags {
			if o == f.name {
				flags |= f.flag
				continue next
			}
		}
		if label, found := strings.CutPrefix(o, "context="); found {
			o = `context="` + label + `"` // may have commas
		}
		rest = append(rest, o)
	}
	return flags, strings.Join(rest, ",")
}
