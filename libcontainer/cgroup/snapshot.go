package cgroup

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
)

// unifiedFiles are the files that hold the limits of a v2 cgroup, apart from
// those that the configuration names itself.
var unifiedFiles = []string{
	"memory.swap.max", "memory.max", "memory.low", "cpu.idle", "cpu.weight", "cpu.max", "cpu.max.burst",
	"cpuset.cpus", "cpuset.mems", "pids.max", "io.weight", "io.bfq.weight", "io.max", "rdma.max",
}

// legacyFiles are those of a v1 cgroup, by controller.
var legacyFiles = map[string][]string{
	"memory": {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.swappiness", "memory.oom_control"},
	"cpu": {"cpu.idle", "cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.cfs_burst_us",
		"cpu.rt_period_us", "cpu.rt_runtime_us"},
	"cpuset": {"cpuset.cpus", "cpuset.mems"},
	"pids":   {"pids.max"},
	"blkio": {"blkio.weight", "blkio.bfq.weight", "blkio.leaf_weight",
		"blkio.weight_device", "blkio.bfq.weight_device", "blkio.leaf_weight_device",
		"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
		"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"},
	"rdma":     {"rdma.max"},
	"net_cls":  {"net_cls.classid"},
	"net_prio": {"net_prio.ifpriomap"},
}

// unlimited is what takes an entry out of a file with one line for each device.
var unlimited = map[string]string{
	"io.max":                           "rbps=max wbps=max riops=max wiops=max",
	"rdma.max":                         "hca_handle=max hca_object=max",
	"io.bfq.weight":                    "default",
	"blkio.weight_device":              "default",
	"blkio.bfq.weight_device":          "default",
	"blkio.leaf_weight_device":         "default",
	"blkio.throttle.read_bps_device":   "0",
	"blkio.throttle.write_bps_device":  "0",
	"blkio.throttle.read_iops_device":  "0",
	"blkio.throttle.write_iops_device": "0",
	"net_prio.ifpriomap":               "0",
}

// snapshot is what the files of a cgroup contained, by path.
type snapshot map[string]string

// takeSnapshot reads the files that hold limits, those of r among them.
func takeSnapshot(s Saved, r *cgroups.Resources) snapshot {
	before := snapshot{}
	if s.Unified {
		before.take(s.Paths[""], unifiedFiles...)
		for file := range r.Unified {
			before.take(s.Paths[""], file)
		}
		for _, l := range r.HugetlbLimit {
			before.take(s.Paths[""], "hugetlb."+l.Pagesize+".max", "hugetlb."+l.Pagesize+".rsvd.max")
		}
		return before
	}
	for controller, files := range legacyFiles {
		before.take(s.Paths[controller], files...)
	}
	for _, l := range r.HugetlbLimit {
		before.take(s.Paths["hugetlb"], "hugetlb."+l.Pagesize+".limit_in_bytes", "hugetlb."+l.Pagesize+".rsvd.limit_in_bytes")
	}
	return before
}

// take reads those of the files that are there.
func (s snapshot) take(dir string, files ...string) {
	if dir == "" {
		return
	}
	for _, file := range files {
		path := filepath.Join(dir, file)
		if text, err := readFile(path); err == nil {
			s[path] = text
		}
	}
}

// restore writes back what differs. The kernel may refuse one value until
// another is back, so it goes round as long as that helps.
func (s snapshot) restore() error {
	for left := len(s) + 1; ; {
		differ, err := s.pass()
		if differ == 0 || differ == left {
			return err
		}
		left = differ
	}
}

// pass writes back what differs, and returns how much then still does.
func (s snapshot) pass() (differ int, first error) {
	for path, text := range s {
		now, err := readFile(path)
		if err == nil && now != text {
			err = writeLines(path, difference(filepath.Base(path), text, now))
		}
		if err != nil {
			differ++
			first = fmt.Errorf("%s: %w", filepath.Base(path), cause(err))
		}
	}
	return differ, first
}

// difference returns what is to be written for a file to become text again.
func difference(file, text, now string) []string {
	if file == "memory.oom_control" {
		return []string{lookup(text, "oom_kill_disable")}
	}
	before, after := lineSet(text), lineSet(now)
	var list []string
	if reset, keyed := unlimited[file]; keyed {
		for line := range after {
			if key, _, _ := strings.Cut(line, " "); !before[line] && !hasKey(before, key) {
				list = append(list, key+" "+reset)
			}
		}
	}
	for line := range before {
		if !after[line] {
			list = append(list, line)
		}
	}
	if text == "" || text == "\n" {
		list = append(list, "")
	}
	return list
}

// lineSet returns the lines of a file.
func lineSet(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			set[line] = true
		}
	}
	return set
}

// hasKey reports whether a line begins with the key.
func hasKey(lines map[string]bool, key string) bool {
	for line := range lines {
		if name, _, _ := strings.Cut(line, " "); name == key {
			return true
		}
	}
	return false
}

// writeLines writes each line by a call of its own, as the kernel wants it.
func writeLines(path string, lines []string) error {
	for _, line := range lines {
		if err := writeFile(path, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}
