package main

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// log writes to the FIFO in the bundle that containerd reads, in the text
// format of its own log. What nobody reads is lost.
type log struct {
	fd    int // -1 for none
	debug bool
	id    string
}

// openLog opens it in the working directory. The end for reading is opened
// too, so that it survives a restart of containerd.
func openLog(debug bool, id string) *log {
	fd, err := unix.Open("log", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1
	}
	return &log{fd, debug, id}
}

func (l *log) write(level, message string) {
	if l.fd < 0 || level == "debug" && !l.debug {
		return
	}
	line := "time=" + strconv.Quote(time.Now().Format(time.RFC3339Nano)) + " level=" + level +
		" msg=" + strconv.Quote(oneLine(message)) + " id=" + l.id + " pid=" + strconv.Itoa(os.Getpid()) + " runtime=" + name + "\n"
	unix.Write(l.fd, []byte(line))
}
