package logs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Driver is where output goes, with the names that Docker gave them.
type Driver string

// The drivers.
const (
	JSONFile Driver = "json-file"
	CRI      Driver = "cri"
	Journald Driver = "journald"
	None     Driver = "none"
)

// Config says what becomes of the output of one container.
type Config struct {
	Driver   Driver
	Path     string            // the file of JSONFile and CRI, in a directory that nobody else writes to
	MaxSize  int64             // bytes at which a file is full; 0: never
	MaxFiles int               // how many files are kept, with the one being written; 0 is 1
	Attrs    map[string]string // of JSONFile: labels and the like, in each record
	Journal  Journal           // of Journald

	// Labels and Env name those of the container's that become fields of the journal, or
	// Attrs: see Mark.
	Labels, Env []string
}

// Open makes the file, or goes on with the one that is there, in the file's
// mode 0640. Each log has one Writer at a time, which the caller sees to.
func Open(c Config) (*Writer, error) {
	switch c.Driver {
	case JSONFile:
		enc, err := newJSONFile(c.Attrs)
		if err != nil {
			return nil, err
		}
		return opened(openFile(c.Path, c.MaxSize, c.MaxFiles, enc))
	case CRI:
		return opened(openFile(c.Path, c.MaxSize, c.MaxFiles, cri{}))
	case Journald:
		return opened(openJournal(c.Journal))
	case None:
		return &Writer{}, nil
	}
	return nil, fmt.Errorf("unknown log driver %q (there are json-file, cri, journald and none)", c.Driver)
}

func opened[S sink](out S, err error) (*Writer, error) {
	if err != nil {
		return nil, err
	}
	return &Writer{out: out}, nil
}

// Mark has each record say those of a container's labels and of its environment,
// NAME=VALUE, that the options name, and no others: an image's labels are not its
// user's words.
func (c *Config) Mark(labels map[string]string, env []string) {
	marks := map[string]string{}
	for _, name := range c.Labels {
		if value, ok := labels[name]; ok {
			marks[name] = value
		}
	}
	for _, e := range env {
		if name, value, _ := strings.Cut(e, "="); slices.Contains(c.Env, name) {
			marks[name] = value
		}
	}
	switch {
	case len(marks) == 0:
	case c.Driver == Journald:
		c.Journal.Fields = marks
	case c.Attrs == nil:
		c.Attrs = marks
	default:
		maps.Copy(c.Attrs, marks)
	}
}

// SetOption sets what a `--log-opt NAME=VALUE` says: max-size and max-file of
// the drivers that write files; tag, labels and env of journald and json-file.
func (c *Config) SetOption(name, value string) error {
	files := c.Driver == JSONFile || c.Driver == CRI
	switch {
	case name == "max-size" && files:
		return c.setMaxSize(value)
	case name == "max-file" && files:
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("log option max-file=%q: not a number above 0", value)
		}
		c.MaxFiles = n
		return nil
	case name == "tag" && c.Driver == Journald:
		c.Journal.Tag = value
		return nil
	case name == "tag" && c.Driver == JSONFile:
		if c.Attrs == nil {
			c.Attrs = map[string]string{}
		}
		c.Attrs["tag"] = value
		return nil
	}
	marks := map[string]*[]string{"labels": &c.Labels, "env": &c.Env}[name]
	if marks != nil && (c.Driver == JSONFile || c.Driver == Journald) {
		*marks = strings.Split(value, ",")
		return nil
	}
	return fmt.Errorf("unknown log option %q of driver %s", name, c.Driver)
}

// setMaxSize takes a size such as 10m. As everywhere with log files, the units
// are powers of 1000; -1 is no limit.
func (c *Config) setMaxSize(value string) error {
	if value == "-1" {
		c.MaxSize = 0
		return nil
	}
	lower := strings.ToLower(value)
	digits := strings.TrimRight(strings.TrimSuffix(lower, "b"), "kmgt")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, known := map[string]int64{"": 1, "b": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}[lower[len(digits):]]
	if err != nil || !known || n <= 0 || n > (1<<62)/unit {
		return fmt.Errorf("log option max-size=%q: not a size such as 10m", value)
	}
	c.MaxSize = n * unit
	return nil
}
