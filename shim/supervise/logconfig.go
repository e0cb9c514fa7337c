package supervise

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/logs"
)

// logName is the log's file, in the container's directory of logs.
const logName = "container.log"

// LogPath is the file that the container's output is in, where its driver keeps
// one.
func LogPath(c *container.Container) string { return filepath.Join(c.Logs(), logName) }

// LogConfig reads the driver and the options that a container's log is to have.
func LogConfig(l container.Log) (logs.Config, error) {
	config := logs.Config{Driver: logs.Driver(l.Driver)}
	if l.Driver == "" {
		config.Driver = logs.JSONFile
	}
	for name, value := range l.Options {
		if err := config.SetOption(name, value); err != nil {
			return config, err
		}
	}
	switch config.Driver {
	case logs.JSONFile, logs.Journald, logs.None:
		return config, nil
	}
	return config, fmt.Errorf("unknown log driver %q [there are json-file, journald and none]", l.Driver)
}

// logConfig is the container's log, whose directory is there.
func logConfig(c *container.Container) (logs.Config, error) {
	config, err := LogConfig(c.Config.Log)
	if err != nil {
		return config, err
	}
	config.Path = LogPath(c)
	if err := os.MkdirAll(c.Logs(), 0o700); err != nil {
		return config, err
	}
	journal := &config.Journal
	journal.ID, journal.Name, journal.Image = c.Config.ID, c.Config.Name, c.Config.ImageName
	config.Mark(c.Config.Labels, c.Config.Env)
	return config, nil
}

// stream is an output's, by its number.
func stream(i int) logs.Stream { return logs.Stream(i) }
