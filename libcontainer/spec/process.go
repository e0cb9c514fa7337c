package spec

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// processChecks are the rules for a process, of a configuration or alone.
var processChecks = [...]check[specs.Process]{
	{"cwd", "config.md#process", checkCwd},
	{"args", "config.md#process", checkArgs},
	{"env", "config.md#process", checkEnv},
	{"user", "config.md#posix-platform-user", checkUser},
	{"rlimits", "config.md#posix-process", checkRlimits},
	{"labels", "config.md#linux-process", checkLabels},
	{"oom score", "config.md#linux-process", checkOOMScore},
	{"scheduler", "config.md#linux-process", checkScheduler},
	{"io priority", "config.md#linux-process", checkIOPriority},
	{"exec cpu affinity", "config.md#linux-process", checkAffinity},
}

const (
	// noID is the id that no user has: to the kernel it means "leave as it is".
	noID = 1<<32 - 1
	// maxGroups is the kernel's NGROUPS_MAX.
	maxGroups = 65536
	// maxOOMScore is the kernel's OOM_SCORE_ADJ_MAX.
	maxOOMScore = 1000
)

func checkCwd(p *specs.Process) *Error {
	return checkPath("cwd", p.Cwd)
}

func checkArgs(p *specs.Process) *Error {
	if len(p.Args) == 0 {
		return refuse("args", "must not be empty")
	}
	return checkNUL("args", p.Args)
}

// checkEnv wants NAME=VALUE, as runc does.
func checkEnv(p *specs.Process) *Error {
	for i, entry := range p.Env {
		switch strings.IndexByte(entry, '=') {
		case -1:
			return refuse(at("env", i), "invalid environment variable "+shown(entry)+": missing '='")
		case 0:
			return refuse(at("env", i), "invalid environment variable "+shown(entry)+": name cannot be empty")
		}
	}
	return checkNUL("env", p.Env)
}

func checkUser(p *specs.Process) *Error {
	u := &p.User
	switch {
	case u.UID == noID:
		return refuse("user.uid", "4294967295 is no user id")
	case u.GID == noID:
		return refuse("user.gid", "4294967295 is no group id")
	case len(u.AdditionalGids) > maxGroups:
		return refuse("user.additionalGids", strconv.Itoa(len(u.AdditionalGids))+" groups are too many: the kernel takes "+strconv.Itoa(maxGroups))
	}
	for i, gid := range u.AdditionalGids {
		if gid == noID {
			return refuse(at("user.additionalGids", i), "4294967295 is no group id")
		}
	}
	return nil
}

func checkRlimits(p *specs.Process) *Error {
	for i, limit := range p.Rlimits {
		field := at("rlimits", i)
		switch {
		case !knownRlimit(limit.Type):
			return refuse(field+".type", shown(limit.Type)+" is not a resource limit")
		case limit.Soft > limit.Hard:
			return refuse(field+".soft", "must not be greater than the hard limit")
		}
		for _, other := range p.Rlimits[:i] {
			if other.Type == limit.Type {
				return refuse(field+".type", "duplicated "+limit.Type)
			}
		}
	}
	return nil
}

func knownRlimit(name string) bool {
	switch name {
	case "RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE",
		"RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK":
		return true
	}
	return false
}

func checkLabels(p *specs.Process) *Error {
	if e := checkLabel("apparmorProfile", p.ApparmorProfile); e != nil {
		return e
	}
	return checkLabel("selinuxLabel", p.SelinuxLabel)
}

// checkLabel refuses what a file of /proc/self/attr would take for its end.
func checkLabel(field, label string) *Error {
	if strings.ContainsAny(label, "\x00\n") {
		return refuse(field, "must not hold a NUL byte or a line break")
	}
	return nil
}

func checkOOMScore(p *specs.Process) *Error {
	if n := p.OOMScoreAdj; n != nil && (*n < -maxOOMScore || *n > maxOOMScore) {
		return refuse("oomScoreAdj", strconv.Itoa(*n)+" is not between -1000 and 1000")
	}
	return nil
}
