package intelrdt

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// schemata are the lines to write, in the order that the specification wants.
func schemata(c *specs.LinuxIntelRdt) []string {
	var lines []string
	for _, s := range append([]string{c.L3CacheSchema, c.MemBwSchema}, c.Schemata...) {
		if s != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

// compareSchemata returns an error unless the class has what l3CacheSchema and
// memBwSchema ask for: others may share it.
func (g *Group) compareSchemata(c *specs.LinuxIntelRdt) error {
	if c.L3CacheSchema == "" && c.MemBwSchema == "" {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(g.Clos, "schemata"))
	if err != nil {
		return fmt.Errorf("intelRdt: %w", err)
	}
	has := g.parse(string(data))
	for at, want := range g.parse(c.L3CacheSchema + "\n" + c.MemBwSchema) {
		if has[at] != want {
			return fmt.Errorf("intelRdt: class %s exists with other schemata than %q",
				c.ClosID, strings.Trim(c.L3CacheSchema+" "+c.MemBwSchema, " "))
		}
	}
	return nil
}

// domain is a resource ("L3", "MB") of one cache.
type domain struct{ resource, id string }

// parse reads lines such as "  L3:0=7f0;1=01f", with values as the kernel would
// keep them.
func (g *Group) parse(text string) map[domain]uint64 {
	values := map[domain]uint64{}
	for line := range strings.Lines(text) {
		resource, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		for entry := range strings.SplitSeq(list, ";") {
			id, value, ok := strings.Cut(strings.TrimSpace(entry), "=")
			if ok {
				values[domain{resource, id}] = g.value(resource, value)
			}
		}
	}
	return values
}

// value is a bit mask in hexadecimal digits, or for MB a number that the kernel
// rounds up.
func (g *Group) value(resource, text string) uint64 {
	text = strings.TrimSpace(text)
	if resource != "MB" {
		mask, _ := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
		return mask
	}
	n, _ := strconv.ParseUint(text, 10, 32)
	data, _ := os.ReadFile(filepath.Join(g.Root, "info", "MB", "bandwidth_gran"))
	step, _ := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if step == 0 {
		return n
	}
	return (n + step - 1) / step * step
}
