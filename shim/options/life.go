package options

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/logs"
)

// Life are the flags on what a container is called, and on how it is watched.
type Life struct {
	Name         string
	CIDFile      string
	Interactive  bool
	AutoRemove   bool
	Init         bool
	CgroupParent string

	labels, labelFiles []string
	restart            string
	stopTimeout        int
	stopTimeoutGiven   func() bool
	logDriver          string
	logOptions         []string
	detachKeys         string
	health             health
}

// Add adds the flags to a set.
func (l *Life) Add(fs *pflag.FlagSet) {
	fs.StringVar(&l.Name, "name", "", "call the container `NAME` (default is two words)")
	fs.StringVar(&l.CIDFile, "cidfile", "", "write the container's ID to `FILE`, which must not be there")
	fs.BoolVarP(&l.Interactive, "interactive", "i", false, "keep standard input open")
	fs.BoolVar(&l.AutoRemove, "rm", false, "remove the container when it has ended, with its anonymous volumes")
	fs.BoolVar(&l.Init, "init", false, "run a small init, which passes signals on and reaps, and below it the program")
	fs.StringVar(&l.CgroupParent, "cgroup-parent", "", "put the container's cgroup below `CGROUP`, or into a slice of systemd's")
	fs.StringArrayVarP(&l.labels, "label", "l", nil, "label the container, `NAME[=VALUE]`")
	fs.StringArrayVar(&l.labelFiles, "label-file", nil, "label the container with the lines of `FILE`")
	fs.StringVar(&l.restart, "restart", "no", "when to start the container again: `POLICY` is no, always, unless-stopped, or on-failure[:TIMES]")
	fs.IntVar(&l.stopTimeout, "stop-timeout", 10, "kill the container when it has not ended so many `SECONDS` after it was asked to; -1 for never")
	l.stopTimeoutGiven = func() bool { return fs.Changed("stop-timeout") }
	fs.StringVar(&l.logDriver, "log-driver", string(logs.JSONFile), "keep the output by `DRIVER`: json-file, journald or none")
	fs.StringArrayVar(&l.logOptions, "log-opt", nil, "tell the driver `NAME=VALUE`: max-size, max-file, tag")
	fs.StringVar(&l.detachKeys, "detach-keys", "", "leave the container running when `KEYS` are typed (default ctrl-p,ctrl-q)")
	l.health.add(fs)
}

// Config writes what the flags say into a configuration. The image's labels and
// its health check are to be there already: the flags change them.
func (l *Life) Config(c *container.Config) (err error) {
	c.Name, c.Interactive, c.AutoRemove, c.Init = l.Name, l.Interactive, l.AutoRemove, l.Init
	c.DetachKeys = l.detachKeys
	if l.stopTimeoutGiven() {
		c.StopTimeout = &l.stopTimeout
	}
	if c.Restart, err = Restart(l.restart); err != nil {
		return err
	}
	if c.AutoRemove && c.Restart.Name != container.RestartNo {
		return fmt.Errorf("Conflicting options: --restart and --rm") // Compat(moby): its words
	}
	if c.Log, err = l.log(); err != nil {
		return err
	}
	labels, err := l.allLabels()
	if err != nil {
		return err
	}
	c.Labels = merge(c.Labels, labels)
	c.Health, err = l.health.config(c.Health)
	return err
}

// merge are the entries of both; the second's win.
func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

// allLabels are those of the files, then those of the flags.
func (l *Life) allLabels() (map[string]string, error) {
	labels := map[string]string{}
	var list []string
	for _, name := range l.labelFiles {
		lines, err := linesOf("--label-file", name)
		if err != nil {
			return nil, err
		}
		list = append(list, lines...)
	}
	for _, text := range append(list, l.labels...) {
		name, value, _ := strings.Cut(text, "=")
		if name == "" {
			return nil, fmt.Errorf("--label %q: it has no name", text)
		}
		labels[name] = value
	}
	return labels, nil
}

// log is the driver with its options, which are tried on it.
func (l *Life) log() (container.Log, error) {
	log := container.Log{Driver: l.logDriver}
	switch logs.Driver(l.logDriver) {
	case logs.JSONFile, logs.Journald, logs.None:
	default:
		return log, fmt.Errorf("--log-driver %q: it is json-file, journald or none", l.logDriver)
	}
	try := logs.Config{Driver: logs.Driver(l.logDriver)}
	for _, text := range l.logOptions {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return log, fmt.Errorf("--log-opt %q: it is NAME=VALUE", text)
		}
		if err := try.SetOption(name, value); err != nil {
			return log, fmt.Errorf("--log-opt %q: %w", text, err)
		}
		log.Options = merge(log.Options, map[string]string{name: value})
	}
	return log, nil
}

// Restart reads what --restart takes.
func Restart(text string) (container.RestartPolicy, error) {
	name, times, given := strings.Cut(text, ":")
	p := container.RestartPolicy{Name: name}
	switch {
	case name == "":
		p.Name = container.RestartNo
	case name != container.RestartNo && name != container.RestartAlways && name != container.RestartOnFailure && name != container.RestartUnlessStopped:
		return p, fmt.Errorf("--restart %q: it is no, always, unless-stopped, or on-failure[:TIMES]", text)
	}
	if !given {
		return p, nil
	}
	n, err := strconv.Atoi(times)
	if err != nil || n < 0 || p.Name != container.RestartOnFailure {
		return p, fmt.Errorf("--restart %q: only on-failure has a number, from 0 on, of times", text)
	}
	p.Max = n
	return p, nil
}
