package residue

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is counted for the whole machine.
const (
	OpenFiles    = "open files"
	RootKeys     = "keys of root"
	DyingCgroups = "cgroups that are dying"
	Programs     = "BPF programs"
)

// Counted are the names of the counts.
func Counted() []string { return []string{OpenFiles, RootKeys, DyingCgroups, Programs} }

// Counts counts what the whole machine has. Other programs change that, too.
// What cannot be counted here is 0.
func Counts() (map[string]int, error) {
	keys, err := Keys(0)
	if err != nil {
		return nil, err
	}
	files, err := openFiles()
	if err != nil {
		return nil, err
	}
	return map[string]int{OpenFiles: files, RootKeys: keys, DyingCgroups: dying(), Programs: programs()}, nil
}

// openFiles is the number of open files of all processes.
func openFiles() (int, error) {
	text, err := os.ReadFile("/proc/sys/fs/file-nr")
	if err != nil {
		return 0, err
	}
	allocated, _, _ := strings.Cut(string(text), "\t")
	return strconv.Atoi(allocated)
}

// dying is the number of cgroups of version 2 that are removed and still in memory.
func dying() int {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		text, _ := os.ReadFile(root + "/cgroup.stat")
		for line := range strings.Lines(string(text)) {
			if n, ok := strings.CutPrefix(line, "nr_dying_descendants "); ok {
				count, _ := strconv.Atoi(strings.TrimSpace(n))
				return count
			}
		}
	}
	return 0
}

// programs is the number of BPF programs in the kernel.
func programs() (n int) {
	const nextProgram = 11 // BPF_PROG_GET_NEXT_ID
	var ids struct{ start, next, flags uint32 }
	for {
		_, _, errno := unix.Syscall(unix.SYS_BPF, nextProgram, uintptr(unsafe.Pointer(&ids)), unsafe.Sizeof(ids))
		if errno != 0 {
			return n
		}
		n++
		ids.start = ids.next
	}
}
