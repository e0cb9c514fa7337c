package logs

import (
	"fmt"
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

// SetOption sets what a `--log-opt NAME=VALUE` says: max-size and max-file of
// the drivers that write files, and tag of journald and json-file.
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
