package sys

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Stat is the part of /proc/PID/stat that tells one process from another.
type Stat struct {
	// State is the letter of the process's state, 'Z' for a zombie.
	State byte
	// PPid is the parent's pid, 0 for none in this pid namespace.
	PPid int
	// StartTime is when the process started, in clock ticks since boot. With
	// the pid it is an identity: a reused pid has another start time.
	StartTime uint64
}

// Gone tells that the process has ended, though its parent has not reaped it.
func (s Stat) Gone() bool { return s.State == 'Z' || s.State == 'X' }

// ProcStat reads /proc/PID/stat. ESRCH: there is no such process.
func ProcStat(pid int) (Stat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := ReadSmall(path, make([]byte, 1024))
	if err == unix.ENOENT || err == unix.ESRCH {
		return Stat{}, unix.ESRCH
	}
	if err != nil {
		return Stat{}, &os.PathError{Op: "read", Path: path, Err: err}
	}
	st, ok := parseStat(data)
	if !ok {
		return Stat{}, errors.New("reading " + path + ": unexpected format")
	}
	return st, nil
}

// StartTime returns when the process pid started, in clock ticks since boot.
// ESRCH: there is no such process.
func StartTime(pid int) (uint64, error) {
	st, err := ProcStat(pid)
	return st.StartTime, err
}

// The places of the fields after the command's name, see proc_pid_stat(5).
const (
	statState     = 3 - 3
	statPPid      = 4 - 3
	statStartTime = 22 - 3
)

// parseStat reads a line of /proc/PID/stat. The command's name stands in
// parentheses and may hold anything, parentheses included: the last one counts.
func parseStat(line []byte) (st Stat, ok bool) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return Stat{}, false
	}
	fields := bytes.Fields(line[end+1:])
	if len(fields) <= statStartTime || len(fields[statState]) != 1 {
		return Stat{}, false
	}
	ppid, err1 := strconv.Atoi(string(fields[statPPid]))
	start, err2 := strconv.ParseUint(string(fields[statStartTime]), 10, 64)
	return Stat{fields[statState][0], ppid, start}, err1 == nil && err2 == nil
}
