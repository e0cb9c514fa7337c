package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// base is a small valid configuration; the tests put fragments over it.
const base = `{
	"ociVersion": "1.3.0",
	"root": {"path": "rootfs"},
	"process": {"args": ["sh"], "cwd": "/"},
	"linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
}`

func configured(t *testing.T, fragment string) *specs.Spec {
	t.Helper()
	s := new(specs.Spec)
	for _, document := range []string{base, fragment} {
		if err := json.Unmarshal([]byte(document), s); err != nil {
			t.Fatalf("%v in %s", err, document)
		}
	}
	return s
}

// l is a fragment of the Linux section, p of the process, r of resources, m
// one mount, d one device, h one hook.
func l(fragment string) string { return `{"linux":{` + fragment + `}}` }
func p(fragment string) string { return `{"process":{` + fragment + `}}` }
func r(fragment string) string { return l(`"resources":{` + fragment + `}`) }
func m(fragment string) string { return `{"mounts":[{` + fragment + `}]}` }
func d(fragment string) string { return l(`"devices":[{` + fragment + `}]`) }
func h(fragment string) string { return `{"hooks":{"poststop":[{` + fragment + `}]}}` }

// ns is a list of namespaces, with more members of the Linux section.
func ns(more string, types ...string) string {
	return l(`"namespaces":[{"type":"` + strings.Join(types, `"},{"type":"`) + `"}]` + more)
}

func TestValidateRefuses(t *testing.T) {
	tests := []struct{ name, fragment, want string }{
		{"no version", `{"ociVersion":""}`, `ociVersion: must be given (config.md#specification-version)`},
		{"not a version", `{"ociVersion":"1.0"}`, `ociVersion: "1.0" is not a SemVer 2.0.0 version (config.md#specification-version)`},
		{"old version", `{"ociVersion":"0.9.0"}`, `ociVersion: "0.9.0" is not supported: only 1.x.y is (config.md#specification-version)`},
		{"next version", `{"ociVersion":"2.0.0"}`, `ociVersion: "2.0.0" is not supported: only 1.x.y is (config.md#specification-version)`},
		{"no root", `{"root":null}`, `root: must be given (config.md#root)`},
		{"no root path", `{"root":{"path":""}}`, `root.path: must be given (config.md#root)`},
		{"NUL in root", `{"root":{"path":"a\u0000"}}`, `root.path: must not hold a NUL byte (config.md#root)`},

		{"unknown namespace", ns(``, "pid", "foo"), `linux.namespaces[1].type: "foo" is not a namespace type (config-linux.md#namespaces)`},
		{"same namespace twice", ns(``, "pid", "ipc", "pid"), `linux.namespaces[2].type: duplicated namespace "pid" (config-linux.md#namespaces)`},
		{"relative namespace path", l(`"namespaces":[{"type":"pid","path":"ns/pid"}]`), `linux.namespaces[0].path: must be an absolute path, got "ns/pid" (config-linux.md#namespaces)`},
		{"mappings without user namespace", l(`"uidMappings":[{"size":1}]`), `linux.uidMappings: user namespace mappings need a user namespace (config-linux.md#user-namespace-mappings)`},
		{"user namespace without mappings", ns(``, "user"), `linux.uidMappings: a new user namespace needs mappings (config-linux.md#user-namespace-mappings)`},
		{"user namespace without gid mappings", ns(`,"uidMappings":[{"size":1}]`, "user"), `linux.gidMappings: a new user namespace needs mappings (config-linux.md#user-namespace-mappings)`},
		{"empty mapping", ns(`,"uidMappings":[{"size":0}],"gidMappings":[{"size":1}]`, "user"), `linux.uidMappings[0].size: must be greater than zero (config-linux.md#user-namespace-mappings)`},
		{"mapping beyond the last id", ns(`,"uidMappings":[{"size":1}],"gidMappings":[{"hostID":4294967290,"size":6}]`, "user"), `linux.gidMappings[0]: the range ends beyond the greatest id, 4294967294 (config-linux.md#user-namespace-mappings)`},
		{"overlapping mappings", ns(`,"uidMappings":[{"containerID":0,"hostID":1000,"size":10},{"containerID":9,"hostID":5000,"size":1}],"gidMappings":[{"size":1}]`, "user"), `linux.uidMappings[1]: overlaps with linux.uidMappings[0] (config-linux.md#user-namespace-mappings)`},
		{"too many mappings", ns(`,"uidMappings":[`+strings.Repeat(`{"size":1},`, 340)+`{"size":1}],"gidMappings":[{"size":1}]`, "user"), `linux.uidMappings: 341 mappings are too many: the kernel takes 340 (config-linux.md#user-namespace-mappings)`},
		{"unmapped uid", `{"process":{"user":{"uid":1}},` + ns(`,"uidMappings":[{"size":1}],"gidMappings":[{"size":1}]`, "user")[1:], `process.user.uid: unmapped uid 1 in user namespace (config.md#posix-platform-user)`},
		{"unmapped gid", `{"process":{"user":{"gid":7}},` + ns(`,"uidMappings":[{"size":1}],"gidMappings":[{"size":7}]`, "user")[1:], `process.user.gid: unmapped gid 7 in user namespace (config.md#posix-platform-user)`},
		{"offsets without time namespace", l(`"timeOffsets":{"monotonic":{"secs":1}}`), `linux.timeOffsets: time offsets need a time namespace (config-linux.md#offset-for-time-namespace)`},
		{"offsets with joined time namespace", l(`"namespaces":[{"type":"time","path":"/proc/1/ns/time"}],"timeOffsets":{"monotonic":{}}`), `linux.timeOffsets: a time namespace that is joined keeps its own offsets (config-linux.md#offset-for-time-namespace)`},
		{"unknown clock", ns(`,"timeOffsets":{"realtime":{}}`, "time"), `linux.timeOffsets["realtime"]: not a clock of a time namespace: "monotonic" and "boottime" are (config-linux.md#offset-for-time-namespace)`},
		{"too many nanoseconds", ns(`,"timeOffsets":{"boottime":{"nanosecs":1000000000}}`, "time"), `linux.timeOffsets["boottime"].nanosecs: must be less than a second (config-linux.md#offset-for-time-namespace)`},
		{"hostname of the host", `{"hostname":"a",` + ns(``, "pid")[1:], `hostname: unable to set hostname without a private UTS namespace (config.md#hostname)`},
		{"hostname without Linux section", `{"hostname":"a","linux":null}`, `hostname: unable to set hostname without a private UTS namespace (config.md#hostname)`},
		{"domainname of the host", `{"domainname":"a",` + ns(``, "pid")[1:], `domainname: unable to set domainname without a private UTS namespace (config.md#domainname)`},
		{"long hostname", `{"hostname":"` + strings.Repeat("a", 65) + `"}`, `hostname: must not be longer than 64 bytes (config.md#hostname)`},
		{"NUL in domainname", `{"domainname":"a\u0000"}`, `domainname: must not hold a NUL byte (config.md#domainname)`},

		{"mount nowhere", m(`"type":"tmpfs"`), `mounts[0].destination: must be given (config.md#mounts)`},
		{"NUL in destination", m(`"destination":"\u0000"`), `mounts[0].destination: must not hold a NUL byte (config.md#mounts)`},
		{"NUL in type", m(`"destination":"/a","type":"\u0000"`), `mounts[0].type: must not hold a NUL byte (config.md#mounts)`},
		{"NUL in source", m(`"destination":"/a","source":"\u0000"`), `mounts[0].source: must not hold a NUL byte (config.md#mounts)`},
		{"NUL in option", m(`"destination":"/a","type":"tmpfs","options":["ro","\u0000"]`), `mounts[0].options[1]: must not hold a NUL byte (config.md#mounts)`},
		{"no type", m(`"destination":"/a","source":"/b","options":["ro"]`), `mounts[0].type: must be given for a mount that is not a bind mount (config.md#mounts)`},
		{"file system's option on bind mount", m(`"destination":"/a","source":"/b","options":["rbind","nosiud"]`), `mounts[0].options[1]: "nosiud": bind mounts cannot have any filesystem-specific options applied (config.md#mounts)`},
		{"misspelt option with type bind", m(`"destination":"/a","source":"/b","type":"bind","options":["nosiud"]`), `mounts[0].options[0]: "nosiud": bind mounts cannot have any filesystem-specific options applied (config.md#mounts)`},
		{"idmap of a file system", m(`"destination":"/a","type":"tmpfs","options":["idmap"]`), `mounts[0].options: id-mapped mounts are only supported for bind-mounts (config.md#posix-platform-mounts)`},
		{"mappings of a file system", m(`"destination":"/a","type":"ext4","uidMappings":[{"size":1}],"gidMappings":[{"size":1}]`), `mounts[0].options: id-mapped mounts are only supported for bind-mounts (config.md#posix-platform-mounts)`},
		{"idmap without mappings", m(`"destination":"/a","source":"/b","options":["bind","ridmap"]`), `mounts[0].options: id-mapped mounts need mappings, or a user namespace that has some (config.md#posix-platform-mounts)`},
		{"idmap without uid mappings", m(`"destination":"/a","source":"/b","options":["bind","idmap"],"gidMappings":[{"size":1}]`), `mounts[0].uidMappings: id-mapped mounts must have both uid and gid mappings specified (config.md#posix-platform-mounts)`},
		{"mappings without gids", m(`"destination":"/a","source":"/b","options":["bind"],"uidMappings":[{"size":1}]`), `mounts[0].gidMappings: id-mapped mounts must have both uid and gid mappings specified (config.md#posix-platform-mounts)`},
		{"empty lists of mappings", m(`"destination":"/a","source":"/b","options":["bind"],"uidMappings":[],"gidMappings":[]`), `mounts[0].uidMappings: id-mapped mounts must have both uid and gid mappings specified (config.md#posix-platform-mounts)`},
		{"empty mapping of mount", m(`"destination":"/a","source":"/b","options":["bind"],"uidMappings":[{"size":1}],"gidMappings":[{}]`), `mounts[0].gidMappings[0].size: must be greater than zero (config.md#posix-platform-mounts)`},
		{"too many mounts", l(`"maskedPaths":[` + strings.Repeat(`"/a",`, 100_000) + `"/a"]`), `mounts: 100001 mounts, masked and read-only paths are too many: a mount namespace holds 100000 (config.md#mounts)`},

		{"no cwd", p(`"cwd":""`), `process.cwd: must be given (config.md#process)`},
		{"relative cwd", p(`"cwd":"a"`), `process.cwd: must be an absolute path, got "a" (config.md#process)`},
		{"NUL in cwd", p(`"cwd":"/\u0000"`), `process.cwd: must not hold a NUL byte (config.md#process)`},
		{"no args", p(`"args":[]`), `process.args: must not be empty (config.md#process)`},
		{"NUL in args", p(`"args":["a","b\u0000"]`), `process.args[1]: must not hold a NUL byte (config.md#process)`},
		{"env without value", p(`"env":["A=1","B"]`), `process.env[1]: invalid environment variable "B": missing '=' (config.md#process)`},
		{"env without name", p(`"env":["=1"]`), `process.env[0]: invalid environment variable "=1": name cannot be empty (config.md#process)`},
		{"NUL in env", p(`"env":["A=\u0000"]`), `process.env[0]: must not hold a NUL byte (config.md#process)`},
		{"uid -1", p(`"user":{"uid":4294967295}`), `process.user.uid: 4294967295 is no user id (config.md#posix-platform-user)`},
		{"gid -1", p(`"user":{"gid":4294967295}`), `process.user.gid: 4294967295 is no group id (config.md#posix-platform-user)`},
		{"group -1", p(`"user":{"additionalGids":[1,4294967295]}`), `process.user.additionalGids[1]: 4294967295 is no group id (config.md#posix-platform-user)`},
		{"too many groups", p(`"user":{"additionalGids":[` + strings.Repeat(`1,`, 65536) + `1]}`), `process.user.additionalGids: 65537 groups are too many: the kernel takes 65536 (config.md#posix-platform-user)`},
		{"unknown rlimit", p(`"rlimits":[{"type":"NOFILE"}]`), `process.rlimits[0].type: "NOFILE" is not a resource limit (config.md#posix-process)`},
		{"rlimit twice", p(`"rlimits":[{"type":"RLIMIT_CORE"},{"type":"RLIMIT_CORE"}]`), `process.rlimits[1].type: duplicated RLIMIT_CORE (config.md#posix-process)`},
		{"soft above hard", p(`"rlimits":[{"type":"RLIMIT_CORE","soft":2,"hard":1}]`), `process.rlimits[0].soft: must not be greater than the hard limit (config.md#posix-process)`},
		{"line break in profile", p(`"apparmorProfile":"a\nb"`), `process.apparmorProfile: must not hold a NUL byte or a line break (config.md#linux-process)`},
		{"NUL in label", p(`"selinuxLabel":"a\u0000"`), `process.selinuxLabel: must not hold a NUL byte or a line break (config.md#linux-process)`},
		{"oom score", p(`"oomScoreAdj":1001`), `process.oomScoreAdj: 1001 is not between -1000 and 1000 (config.md#linux-process)`},
		{"no policy", p(`"scheduler":{"nice":1}`), `process.scheduler.policy: must be given (config.md#linux-process)`},
		{"unknown policy", p(`"scheduler":{"policy":"OTHER"}`), `process.scheduler.policy: "OTHER" is not a scheduling policy (config.md#linux-process)`},
		{"unknown scheduler flag", p(`"scheduler":{"policy":"SCHED_OTHER","flags":["X"]}`), `process.scheduler.flags[0]: "X" is not a scheduling flag (config.md#linux-process)`},
		{"nice", p(`"scheduler":{"policy":"SCHED_BATCH","nice":20}`), `process.scheduler.nice: 20 is not between -20 and 19 (config.md#linux-process)`},
		{"priority of a normal process", p(`"scheduler":{"policy":"SCHED_OTHER","priority":1}`), `process.scheduler.priority: can only be specified for SCHED_FIFO and SCHED_RR (config.md#linux-process)`},
		{"priority of a deadline process", p(`"scheduler":{"policy":"SCHED_DEADLINE","priority":1}`), `process.scheduler.priority: can only be specified for SCHED_FIFO and SCHED_RR (config.md#linux-process)`},
		{"no priority", p(`"scheduler":{"policy":"SCHED_RR"}`), `process.scheduler.priority: 0 is not between 1 and 99 (config.md#linux-process)`},
		{"period of a batch process", p(`"scheduler":{"policy":"SCHED_BATCH","period":1}`), `process.scheduler.runtime: runtime, deadline and period can only be specified for SCHED_DEADLINE (config.md#linux-process)`},
		{"io class", p(`"ioPriority":{"class":"IOPRIO_CLASS_WOW"}`), `process.ioPriority.class: "IOPRIO_CLASS_WOW" is not an I/O scheduling class (config.md#linux-process)`},
		{"io priority", p(`"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":8}`), `process.ioPriority.priority: 8 is not between 0 and 7 (config.md#linux-process)`},
		{"initial affinity", p(`"execCPUAffinity":{"initial":"3-1"}`), `process.execCPUAffinity.initial: "3-1" ends before it begins (config.md#linux-process)`},
		{"final affinity", p(`"execCPUAffinity":{"final":"a"}`), `process.execCPUAffinity.final: "a" is not a number or range (config.md#linux-process)`},

		{"relative hook", h(`"path":"a"`), `hooks.poststop[0].path: must be an absolute path, got "a" (config.md#posix-platform-hooks)`},
		{"hook without path", `{"hooks":{"prestart":[{"path":"/a"},{}]}}`, `hooks.prestart[1].path: must be given (config.md#posix-platform-hooks)`},
		{"hook without time", h(`"path":"/a","timeout":0`), `hooks.poststop[0].timeout: must be greater than zero (config.md#posix-platform-hooks)`},
		{"NUL in hook's args", h(`"path":"/a","args":["\u0000"]`), `hooks.poststop[0].args[0]: must not hold a NUL byte (config.md#posix-platform-hooks)`},
		{"NUL in hook's env", h(`"path":"/a","env":["\u0000"]`), `hooks.poststop[0].env[0]: must not hold a NUL byte (config.md#posix-platform-hooks)`},
		{"annotation without key", `{"annotations":{"":"a"}}`, `annotations: a key must not be an empty string (config.md#annotations)`},
		{"annotation of crun's that is not honoured", `{"annotations":{"run.oci.delegate-cgroup":"x"}}`, `annotations: run.oci.delegate-cgroup is not supported: davit makes no cgroup below the container's (config.md#annotations)`},
		{"output of hooks", `{"annotations":{"run.oci.hooks.stderr":"/x"},"hooks":{"poststop":[{"path":"/a"}]}}`, `annotations: run.oci.hooks.stderr is not supported: what a hook prints is in the error when it fails (config.md#annotations)`},

		{"device without path", d(`"type":"c"`), `linux.devices[0].path: must be given (config-linux.md#devices)`},
		{"relative device", d(`"type":"c","path":"dev/a"`), `linux.devices[0].path: must be an absolute path, got "dev/a" (config-linux.md#devices)`},
		{"unknown device type", d(`"type":"x","path":"/a"`), `linux.devices[0].type: "x" is not a device type: "c", "b", "u" and "p" are (config-linux.md#devices)`},
		{"device major", d(`"type":"c","path":"/a","major":-1`), `linux.devices[0].major: must be between 0 and 4095 (config-linux.md#devices)`},
		{"device minor", d(`"type":"b","path":"/a","minor":1048576`), `linux.devices[0].minor: must be between 0 and 1048575 (config-linux.md#devices)`},
		{"network device of the host", ns(`,"netDevices":{"eth0":{}}`, "pid"), `linux.netDevices: unable to move network devices without a NET namespace (config-linux.md#network-devices)`},
		{"name on the host", l(`"netDevices":{"a b":{}}`), `linux.netDevices["a b"]: invalid network device name "a b" (config-linux.md#network-devices)`},
		{"name in the container", l(`"netDevices":{"eth0":{"name":"eth0/"}}`), `linux.netDevices["eth0"].name: invalid network device name "eth0/" (config-linux.md#network-devices)`},
		{"long device name", l(`"netDevices":{"eth0":{"name":"eth0123456789012"}}`), `linux.netDevices["eth0"].name: invalid network device name "eth0123456789012" (config-linux.md#network-devices)`},
		{"two devices of one name", l(`"netDevices":{"a":{"name":"b"},"b":{}}`), `linux.netDevices["b"].name: "b" is the name of "a" too (config-linux.md#network-devices)`},

		{"cgroups path", l(`"cgroupsPath":"\u0000"`), `linux.cgroupsPath: must not hold a NUL byte (config-linux.md#cgroups-path)`},
		{"swap without memory", r(`"memory":{"swap":1}`), `linux.resources.memory.swap: unable to set swap limit without memory limit (config-linux.md#memory)`},
		{"swap below memory", r(`"memory":{"swap":1,"limit":2}`), `linux.resources.memory.swap: memory+swap limit should be >= memory limit (config-linux.md#memory)`},
		{"propagation", l(`"rootfsPropagation":"public"`), `linux.rootfsPropagation: "public" is not a propagation mode (config-linux.md#rootfs-mount-propagation)`},
		{"masks of the host", ns(`,"maskedPaths":["/proc/kcore"]`, "pid"), `linux.maskedPaths: unable to restrict paths without a private mount namespace (config-linux.md#masked-paths)`},
		{"relative mask", l(`"maskedPaths":["/a","proc/kcore"]`), `linux.maskedPaths[1]: must be an absolute path, got "proc/kcore" (config-linux.md#masked-paths)`},
		{"relative read-only path", l(`"readonlyPaths":["a"]`), `linux.readonlyPaths[0]: must be an absolute path, got "a" (config-linux.md#readonly-paths)`},
		{"mount label", l(`"mountLabel":"a\n"`), `linux.mountLabel: must not hold a NUL byte or a line break (config-linux.md#mount-label)`},
		{"personality", l(`"personality":{"domain":"linux"}`), `linux.personality.domain: invalid personality domain "linux" (config-linux.md#personality)`},

		{"no memory policy", l(`"memoryPolicy":{}`), `linux.memoryPolicy.mode: invalid memory policy mode "" (config-linux.md#memory-policy)`},
		{"memory policy mode", l(`"memoryPolicy":{"mode":"INTERLEAVE","nodes":"0"}`), `linux.memoryPolicy.mode: invalid memory policy mode "INTERLEAVE" (config-linux.md#memory-policy)`},
		{"memory policy flag", l(`"memoryPolicy":{"mode":"MPOL_PREFERRED","flags":["badflag"]}`), `linux.memoryPolicy.flags[0]: invalid memory policy flag "badflag" (config-linux.md#memory-policy)`},
		{"nodes for no nodes", l(`"memoryPolicy":{"mode":"MPOL_DEFAULT","nodes":"0-7"}`), `linux.memoryPolicy.nodes: invalid memory policy: MPOL_DEFAULT mode requires 0 nodes but got 8 (config-linux.md#memory-policy)`},
		{"no nodes for some", l(`"memoryPolicy":{"mode":"MPOL_BIND"}`), `linux.memoryPolicy.nodes: invalid memory policy: MPOL_BIND mode requires at least one node but got 0 (config-linux.md#memory-policy)`},
		{"huge node", l(`"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0-9876543210"}`), `linux.memoryPolicy.nodes: invalid memory policy nodes "0-9876543210": "0-9876543210": values larger than 8191 are not supported (config-linux.md#memory-policy)`},

		{"class of service", l(`"intelRdt":{"closID":"a/b"}`), `linux.intelRdt.closID: invalid intelRdt.closID "a/b" (config-linux.md#intelrdt)`},
		{"class of service above", l(`"intelRdt":{"closID":".."}`), `linux.intelRdt.closID: invalid intelRdt.closID ".." (config-linux.md#intelrdt)`},
		{"bandwidth", l(`"intelRdt":{"memBwSchema":"0=70"}`), `linux.intelRdt.memBwSchema: must start with "MB:" (config-linux.md#intelrdt)`},
		{"bandwidth in lines", l(`"intelRdt":{"memBwSchema":"MB:0=70\nMB:1=20"}`), `linux.intelRdt.memBwSchema: must be one line (config-linux.md#intelrdt)`},
		{"NUL in cache schema", l(`"intelRdt":{"l3CacheSchema":"\u0000"}`), `linux.intelRdt.l3CacheSchema: must not hold a NUL byte (config-linux.md#intelrdt)`},
		{"schemata", l(`"intelRdt":{"schemata":["L3:0=f","a\n"]}`), `linux.intelRdt.schemata[1]: must be one line (config-linux.md#intelrdt)`},

		{"device rule type", r(`"devices":[{"type":"p","access":"r"}]`), `linux.resources.devices[0].type: "p" is not a device type: "a", "b" and "c" are (config-linux.md#allowed-device-list)`},
		{"device rule without access", r(`"devices":[{"allow":true}]`), `linux.resources.devices[0].access: must not be empty (config-linux.md#allowed-device-list)`},
		{"device rule major", r(`"devices":[{"access":"r","major":-2}]`), `linux.resources.devices[0].major: -2 is not a device number (config-linux.md#allowed-device-list)`},
		{"device rule minor", r(`"devices":[{"access":"r","minor":4294967296}]`), `linux.resources.devices[0].minor: 4294967296 is not a device number (config-linux.md#allowed-device-list)`},
		{"memory limit", r(`"memory":{"limit":-2}`), `linux.resources.memory.limit: -2 is neither a number of bytes nor -1, which means unlimited (config-linux.md#memory)`},
		{"burst", r(`"cpu":{"quota":1000,"burst":1001}`), `linux.resources.cpu.burst: must not be larger than the quota (config-linux.md#cpu)`},
		{"idle", r(`"cpu":{"idle":2}`), `linux.resources.cpu.idle: must be 0 or 1 (config-linux.md#cpu)`},
		{"NUL in cpus", r(`"cpu":{"cpus":"\u0000"}`), `linux.resources.cpu.cpus: must not hold a NUL byte (config-linux.md#cpu)`},
		{"NUL in mems", r(`"cpu":{"mems":"\u0000"}`), `linux.resources.cpu.mems: must not hold a NUL byte (config-linux.md#cpu)`},
		{"weight", r(`"blockIO":{"weight":1001}`), `linux.resources.blockIO.weight: must not be greater than 1000 (config-linux.md#block-io)`},
		{"weight of nothing", r(`"blockIO":{"weightDevice":[{"major":8}]}`), `linux.resources.blockIO.weightDevice[0]: weight or leafWeight must be given (config-linux.md#block-io)`},
		{"leaf weight", r(`"blockIO":{"weightDevice":[{"leafWeight":1001}]}`), `linux.resources.blockIO.weightDevice[0].leafWeight: must not be greater than 1000 (config-linux.md#block-io)`},
		{"weight's device", r(`"blockIO":{"weightDevice":[{"weight":10,"major":-1}]}`), `linux.resources.blockIO.weightDevice[0].major: must not be negative (config-linux.md#block-io)`},
		{"throttle's device", r(`"blockIO":{"throttleWriteIOPSDevice":[{"minor":-1}]}`), `linux.resources.blockIO.throttleWriteIOPSDevice[0].minor: must not be negative (config-linux.md#block-io)`},
		{"huge page size", r(`"hugepageLimits":[{"pageSize":"2MB"},{"pageSize":"64kB"}]`), `linux.resources.hugepageLimits[1].pageSize: "64kB" is not a page size such as "64KB", "2MB" or "1GB" (config-linux.md#huge-page-limits)`},
		{"priority's device", r(`"network":{"priorities":[{"name":""}]}`), `linux.resources.network.priorities[0].name: invalid network device name "" (config-linux.md#network)`},
		{"rdma of nothing", r(`"rdma":{"mlx5_1":{}}`), `linux.resources.rdma["mlx5_1"]: hcaHandles or hcaObjects must be given (config-linux.md#rdma)`},
		{"rdma of no device", r(`"rdma":{"a b":{"hcaHandles":1}}`), `linux.resources.rdma["a b"]: not the name of a device (config-linux.md#rdma)`},
		{"unified path", r(`"unified":{"../memory.max":"1"}`), `linux.resources.unified["../memory.max"]: must be a file name (no slashes) (config-linux.md#unified)`},
		{"unified name", r(`"unified":{"memory":"1"}`), `linux.resources.unified["memory"]: must be in the form CONTROLLER.PARAMETER (config-linux.md#unified)`},
		{"unified parent", r(`"unified":{"..":"1"}`), `linux.resources.unified[".."]: must be in the form CONTROLLER.PARAMETER (config-linux.md#unified)`},
		{"NUL in unified value", r(`"unified":{"a.b":"\u0000"}`), `linux.resources.unified["a.b"]: must not hold a NUL byte (config-linux.md#unified)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Validate(configured(t, test.fragment))
			var e *Error
			if want := "config.json: " + test.want; !errors.As(err, &e) || err.Error() != want {
				t.Errorf("\ngot  %v\nwant %s", err, want)
			}
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	user := `,"uidMappings":[{"hostID":100000,"size":1000}],"gidMappings":[{"hostID":100000,"size":1000}]`
	tests := []struct{ name, fragment string }{
		{"base", `{}`},
		{"no process", `{"process":null}`},
		{"no Linux section", `{"linux":null}`},
		{"older version", `{"ociVersion":"1.0.2-dev"}`},
		{"newer version", `{"ociVersion":"1.99.0+build.001"}`},
		{"rootfs is the bundle", `{"root":{"path":"."}}`},
		{"all namespaces", ns(user+`,"timeOffsets":{"monotonic":{"secs":7881,"nanosecs":2718281},"boottime":{"secs":-1}}`, "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")},
		{"joined user namespace with mappings", l(`"namespaces":[{"type":"user","path":"/proc/1/ns/user"}]` + user)},
		{"joined user namespace, any user", `{"process":{"user":{"uid":5}},` + l(`"namespaces":[{"type":"user","path":"/run/ns"}]`)[1:]},
		{"joined time namespace", l(`"namespaces":[{"type":"time","path":"/proc/1/ns/time"}]`)},
		{"all ids mapped", ns(`,"uidMappings":[{"size":4294967295}],"gidMappings":[{"size":4294967295}]`, "user")},
		{"hostname in joined namespace", `{"hostname":"a","domainname":"b",` + l(`"namespaces":[{"type":"uts","path":"/a"}]`)[1:]},
		{"relative destination", m(`"destination":"../../path","type":"tmpfs"`)},
		{"bind mount of any type", m(`"destination":"/abs/but/../unclean","type":"none","source":"a","options":["bind","rro","rprivate","defaults","nosymfollow","tmpcopyup"]`)},
		{"idmap with type bind", m(`"destination":"/a","source":"/b","type":"bind","uidMappings":[{"size":1}],"gidMappings":[{"size":1}]`)},
		{"bind mount without type and source", m(`"destination":"/a","options":["rbind"]`)},
		{"unknown option of a file system", m(`"destination":"/a","type":"foo","options":["bar=baz",""]`)},
		{"remount", m(`"destination":"/a","options":["remount","ro"]`)},
		{"idmap by user namespace", `{"mounts":[{"destination":"/a","source":"/b","options":["bind","idmap"]}],` + ns(user, "user")[1:]},
		{"idmap without option", m(`"destination":"/a","source":"/b","options":["rbind"],"uidMappings":[{"size":1}],"gidMappings":[{"size":1},{"containerID":1,"hostID":1,"size":1}]`)},
		{"host's mounts, nothing masked", ns(`,"maskedPaths":[],"readonlyPaths":[]`, "pid")},
		{"env", p(`"env":["A=","B==","C=\n","A=1","D E=ü"]`)},
		{"greatest ids", p(`"user":{"uid":4294967294,"gid":4294967294,"umask":4095,"additionalGids":[0,0]}`)},
		{"console", p(`"terminal":true,"consoleSize":{"height":70000,"width":0}`)},
		{"unknown capabilities", p(`"capabilities":{"bounding":["CAP_UNKNOWN","UNKNOWN_CAP",""],"ambient":["CAP_KILL","CAP_KILL"]}`)},
		{"rlimits", p(`"rlimits":[{"type":"RLIMIT_CORE"},{"type":"RLIMIT_RTTIME","soft":18446744073709551615,"hard":18446744073709551615}]`)},
		{"batch", p(`"scheduler":{"policy":"SCHED_BATCH","nice":-20}`)},
		{"fifo", p(`"scheduler":{"policy":"SCHED_FIFO","priority":99,"nice":100}`)},
		{"fifo, priority kept", p(`"scheduler":{"policy":"SCHED_FIFO","flags":["SCHED_FLAG_KEEP_PARAMS"]}`)},
		{"deadline", p(`"scheduler":{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RESET_ON_FORK"],"nice":19,"runtime":42000,"deadline":100000,"period":1000000}`)},
		{"iso", p(`"scheduler":{"policy":"SCHED_ISO"}`)},
		{"io priority", p(`"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":7}`)},
		{"affinity", p(`"execCPUAffinity":{"initial":" 0-3, ,7,","final":"8191"}`)},
		{"empty affinity", p(`"execCPUAffinity":{}`)},
		{"hooks", `{"hooks":{"prestart":[{"path":"/a"}],"createRuntime":[{"path":"/a","args":["x"],"env":["y"],"timeout":1}]}}`},
		{"annotations", `{"annotations":{"a":"","org.systemd.property.X":"?"}}`},
		{"annotations of crun's without effect", `{"annotations":{"run.oci.delegate-cgroup":"","run.oci.hooks.stdout":"/x","run.oci.mount_context_type":"rootcontext"}}`},
		{"devices", l(`"devices":[{"path":"/dev/fuse","type":"c","major":10,"minor":229,"fileMode":33206},{"path":"/a","type":"p","major":-1},{"path":"/b","type":"u"}]`)},
		{"network devices", l(`"netDevices":{"eth0":{},"eth1":{"name":"net%d"},"eth2":{"name":"net%d"},"abcdefghijklmno":{"name":"c0"}}`)},
		{"systemd's cgroups path", l(`"cgroupsPath":"system.slice:davit:a"`)},
		{"cgroups path with dots", l(`"cgroupsPath":"../../a"`)},
		{"propagation", l(`"rootfsPropagation":"rslave"`)},
		{"personality", l(`"personality":{"domain":"LINUX32","flags":["X"]}`)},
		{"interleave", l(`"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"0"}`)},
		{"preferred without nodes", l(`"memoryPolicy":{"mode":"MPOL_PREFERRED","flags":["MPOL_F_RELATIVE_NODES"]}`)},
		{"default", l(`"memoryPolicy":{"mode":"MPOL_DEFAULT","flags":[]}`)},
		{"root class of service", l(`"intelRdt":{"closID":"/","memBwSchema":"MB:0=70","l3CacheSchema":"0=ff","schemata":["L2:0=f"]}`)},
		{"device rules", r(`"devices":[{"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":-1,"access":"rr"},{"type":"a","access":"m"},{"access":"rwa"}]`)},
		{"memory", r(`"memory":{"limit":-1,"reservation":0,"swap":5,"kernel":-7,"swappiness":200}`)},
		{"memory and swap", r(`"memory":{"limit":5,"swap":5}`)},
		{"unlimited swap", r(`"memory":{"swap":-1}`)},
		{"cpu", r(`"cpu":{"shares":2,"quota":-1,"burst":5,"period":1,"idle":1,"cpus":"0-10:2/4","realtimeRuntime":-5}`)},
		{"pids", r(`"pids":{"limit":-2}`)},
		{"block io", r(`"blockIO":{"weight":1000,"leafWeight":0,"weightDevice":[{"leafWeight":10}],"throttleReadBpsDevice":[{"major":8}]}`)},
		{"huge pages", r(`"hugepageLimits":[{"pageSize":"2MB"},{"pageSize":"1GB"},{"pageSize":"64KB"}]`)},
		{"network", r(`"network":{"classID":1,"priorities":[{"name":"eth0","priority":5}]}`)},
		{"rdma", r(`"rdma":{"mlx5_1":{"hcaHandles":1},"rxe3":{"hcaObjects":1}}`)},
		{"unified", r(`"unified":{"memory.max":"max","hugetlb.1GB.max":"1","cgroup.freeze":"0","io.max":"1:1 rbps=1\n1:2 rbps=1"}`)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := Validate(configured(t, test.fragment)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateSysctl(t *testing.T) {
	const (
		accepted = ""
		shared   = "is not in a separate kernel namespace"
		hostIPC  = "is not allowed in the host's ipc namespace"
		hostNet  = "is not allowed in the host's network namespace"
		conflict = `is not allowed as it conflicts with the OCI "hostname" field`
		ucounts  = "setting ucounts without a user namespace not allowed"
		leaves   = "must not leave its folder"
	)
	tests := []struct{ key, inPrivate, inHost string }{
		{"kernel.msgmax", accepted, hostIPC},
		{"kernel/msgmax", accepted, hostIPC},
		{"kernel.shm_rmid_forced", accepted, hostIPC},
		{"fs.mqueue.msg_max", accepted, hostIPC},
		{"fs/mqueue/ctl", accepted, hostIPC},
		{"fs.mqueue", shared, shared},
		{"fs.file-max", shared, shared},
		{"net.ipv4.ip_forward", accepted, hostNet},
		{"net/ctl", accepted, hostNet},
		{"net.ipv4.conf.eno2/100.rp_filter", accepted, hostNet},
		{"net/ipv4/conf/eno2.100/rp_filter", accepted, hostNet},
		{"net", shared, shared},
		{"network.x", shared, shared},
		{"kernel.domainname", accepted, shared},
		{"kernel/domainname", accepted, shared},
		{"kernel.hostname", conflict, shared},
		{"user.max_user_namespaces", accepted, ucounts},
		{"user/max_net_namespaces", accepted, ucounts},
		{"kernel.core_pattern", shared, shared},
		{"kernel.ctl", shared, shared},
		{"vm.swappiness", shared, shared},
		{"", shared, shared},
		{"net/../kernel/core_pattern", leaves, leaves},
		{"net.//.kernel.core_pattern", leaves, leaves},
		{"net/./x", leaves, leaves},
	}
	private := ns(`,"uidMappings":[{"size":1}],"gidMappings":[{"size":1}]`, "ipc", "network", "uts", "user")
	for _, test := range tests {
		for _, side := range []struct{ fragment, want string }{{private, test.inPrivate}, {ns(``, "pid"), test.inHost}} {
			s := configured(t, side.fragment)
			s.Linux.Sysctl = map[string]string{test.key: "1"}
			want := ""
			if side.want != "" {
				want = fmt.Sprintf("config.json: linux.sysctl[%q]: %s (config-linux.md#sysctl)", test.key, side.want)
			}
			got := ""
			if err := Validate(s); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s with %v:\ngot  %s\nwant %s", test.key, s.Linux.Namespaces, got, want)
			}
		}
	}
	s := configured(t, l(`"sysctl":{"net.a":"\u0000"}`))
	if err := Validate(s); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("NUL in a value: got %v", err)
	}
}

func TestSysctlPath(t *testing.T) {
	tests := []struct{ key, want string }{
		{"", ""},
		{"kernel", "kernel"},
		{"kernel.shm_rmid_forced", "kernel/shm_rmid_forced"},
		{"kernel/shm_rmid_forced", "kernel/shm_rmid_forced"},
		{"net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter"},
		{"net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter"},
	}
	for _, test := range tests {
		if got := SysctlPath(test.key); got != test.want {
			t.Errorf("%q: got %q, want %q", test.key, got, test.want)
		}
	}
}

func TestValidateSeccomp(t *testing.T) {
	allow := func(more string) string { return l(`"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"` + more + `}`) }
	rule := func(more string) string { return allow(`,"syscalls":[{"names":["mkdir"],` + more + `}]`) }
	tests := []struct{ name, fragment, want string }{
		{"disabled", l(`"seccomp":{"architectures":["X"]}`), ``},
		{"rules without default", l(`"seccomp":{"syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW"}]}`), `defaultAction: "" is not a seccomp action`},
		{"unknown default", l(`"seccomp":{"defaultAction":"ALLOW"}`), `defaultAction: "ALLOW" is not a seccomp action`},
		{"notify by default", l(`"seccomp":{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/a"}`), `defaultAction: SCMP_ACT_NOTIFY cannot be used as default action`},
		{"kill by default", l(`"seccomp":{"defaultAction":"SCMP_ACT_KILL"}`), ``},
		{"default error", l(`"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38}`), ``},
		{"default error of allow", allow(`,"defaultErrnoRet":1`), `defaultErrnoRet: SCMP_ACT_ALLOW does not take an error number`},
		{"architectures", allow(`,"architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64","SCMP_ARCH_ARM","SCMP_ARCH_SHEB"]`), ``},
		{"unknown architecture", allow(`,"architectures":["amd64"]`), `architectures[0]: "amd64" is not a seccomp architecture`},
		{"flags", allow(`,"flags":["SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW","SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]`), ``},
		{"unknown flag", allow(`,"flags":["SECCOMP_FILTER_FLAG_NEW_LISTENER"]`), `flags[0]: seccomp flag "SECCOMP_FILTER_FLAG_NEW_LISTENER" is not known`},
		{"listener without notify", allow(`,"listenerPath":"/a","listenerMetadata":"bar"`), ``},
		{"metadata without listener", allow(`,"listenerMetadata":"bar"`), `listenerMetadata: must not be set without listenerPath`},
		{"NUL in listener", allow(`,"listenerPath":"\u0000"`), `listenerPath: must not hold a NUL byte`},
		{"redundant rule", rule(`"action":"SCMP_ACT_ALLOW"`), ``},
		{"unknown action", rule(`"action":"DENY"`), `syscalls[0].action: "DENY" is not a seccomp action`},
		{"error", rule(`"action":"SCMP_ACT_ERRNO","errnoRet":100`), ``},
		{"trace with error", rule(`"action":"SCMP_ACT_TRACE","errnoRet":65535`), ``},
		{"error of kill", rule(`"action":"SCMP_ACT_KILL","errnoRet":1`), `syscalls[0].errnoRet: SCMP_ACT_KILL does not take an error number`},
		{"great error", rule(`"action":"SCMP_ACT_ERRNO","errnoRet":65536`), `syscalls[0].errnoRet: must not be greater than 65535`},
		{"no names", allow(`,"syscalls":[{"action":"SCMP_ACT_ERRNO"}]`), `syscalls[0].names: must contain at least one entry`},
		{"empty name", allow(`,"syscalls":[{"names":["a",""],"action":"SCMP_ACT_ERRNO"}]`), `syscalls[0].names: an empty string is not a system call`},
		{"notify", allow(`,"listenerPath":"/a","syscalls":[{"names":["mkdir","close"],"action":"SCMP_ACT_NOTIFY"}]`), ``},
		{"notify of write", allow(`,"listenerPath":"/a","syscalls":[{"names":["mkdir","write"],"action":"SCMP_ACT_NOTIFY"}]`), `syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for the write syscall`},
		{"notify nobody", rule(`"action":"SCMP_ACT_NOTIFY"`), `syscalls[0].action: SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath`},
		{"condition", rule(`"action":"SCMP_ACT_ERRNO","args":[{"index":5,"value":1,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}]`), ``},
		{"index", rule(`"action":"SCMP_ACT_ERRNO","args":[{"index":6,"op":"SCMP_CMP_EQ"}]`), `syscalls[0].args[0].index: must be between 0 and 5`},
		{"operator", rule(`"action":"SCMP_ACT_ERRNO","args":[{"op":"EQ"}]`), `syscalls[0].args[0].op: "EQ" is not a seccomp operator`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, want := "", ""
			if err := Validate(configured(t, test.fragment)); err != nil {
				got = err.Error()
			}
			if test.want != "" {
				want = "config.json: linux.seccomp." + test.want + " (config-linux.md#seccomp)"
			}
			if got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		version string
		ok      bool
	}{
		{"1.0.0", true}, {"1.0.0-rc1", true}, {"1.0.0-rc.1+a-b.01", true}, {"1.2.3-0a.-", true}, {"1.0.0-x-y", true},
		{"", false}, {"1", false}, {"1.0", false}, {"1.0.0.0", false}, {"v1.0.0", false}, {"01.0.0", false}, {"1.0.00", false},
		{"1.0.0-", false}, {"1.0.0+", false}, {"1.0.0-01", false}, {"1.0.0-a..b", false}, {"1.0.0-ä", false}, {"1.0.0 ", false}, {"1.-1.0", false},
	}
	for _, test := range tests {
		if _, ok := semanticMajor(test.version); ok != test.ok {
			t.Errorf("%q: got %v, want %v", test.version, ok, test.ok)
		}
	}
}

func TestParseList(t *testing.T) {
	tests := []struct {
		list string
		want string // numbers, or an error
	}{
		{"", "[]"},
		{"0", "[0]"},
		{"0-3,7", "[0 1 2 3 7]"},
		{" 63 , 64-65,,", "[63 64 65]"},
		{"7,7,0-1", "[0 1 7]"},
		{"8191", "[8191]"},
		{"8192", `"8192": values larger than 8191 are not supported`},
		{"0-18446744073709551616", `"0-18446744073709551616": values larger than 8191 are not supported`},
		{",", `no number in ","`},
		{"-1", `"-1" is not a number or range`},
		{"1-", `"1-" is not a number or range`},
		{"1-2-3", `"1-2-3" is not a number or range`},
		{"0x1", `"0x1" is not a number or range`},
		{"2-1", `"2-1" ends before it begins`},
	}
	for _, test := range tests {
		set, err := ParseList(test.list)
		members := []int{}
		for n := range len(set) * 64 {
			if set[n/64]>>(n%64)&1 == 1 {
				members = append(members, n)
			}
		}
		got := fmt.Sprint(members)
		if err != nil {
			got = err.Error()
		}
		if got != test.want || err == nil && set.Count() != len(members) {
			t.Errorf("%q: got %s (%d), want %s", test.list, got, set.Count(), test.want)
		}
	}
}

func TestValidateAlone(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"process", ValidateProcess(&specs.Process{Cwd: "/", Args: []string{"sh"}}), "<nil>"},
		{"no process", ValidateProcess(nil), "config.json: process: must be given: there is nothing to start (config.md#process)"},
		{"process without cwd", ValidateProcess(&specs.Process{Args: []string{"sh"}}), "process.json: cwd: must be given (config.md#process)"},
		{"resources", ValidateResources(&specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: new(int64)}}), "<nil>"},
		{"resources with a slash", ValidateResources(&specs.LinuxResources{Unified: map[string]string{"a/b": ""}}), `resources.json: unified["a/b"]: must be a file name (no slashes) (config-linux.md#unified)`},
	}
	for _, test := range tests {
		if got := fmt.Sprint(test.err); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestValidateExamples: the module's examples are good to its schema, which
// knows neither versions nor platforms nor what belongs together.
func TestValidateExamples(t *testing.T) {
	refused := map[string]string{
		"spec-example.json":    "is not supported",
		"linux-netdevice.json": "without a NET namespace",
		"freebsd-example.json": "without a private UTS namespace",
		"zos-example.json":     "is not supported",
	}
	for _, file := range exampleFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode(data)
		if err != nil || !strings.Contains(file, "/config/good/") {
			continue
		}
		want, got := refused[filepath.Base(file)], Validate(s)
		if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want)) {
			t.Errorf("%s: got %v, want %q", file, got, want)
		}
	}
}

// TestValidateMaximal: nothing panics, whatever is set.
func TestValidateMaximal(t *testing.T) {
	s := maximal(t)
	if err := Validate(s); err == nil {
		t.Error("accepted")
	}
	_ = ValidateProcess(s.Process)
	_ = ValidateResources(s.Linux.Resources)
	for _, line := range Warnings(s) {
		if strings.Contains(line, "\n") {
			t.Errorf("more than one line: %q", line)
		}
	}
	_ = Validate(&specs.Spec{})
	_ = Warnings(&specs.Spec{})
}

func TestWarnings(t *testing.T) {
	tests := []struct{ name, fragment, want string }{
		{"nothing", `{}`, ``},
		{"no process, no Linux section", `{"process":null,"linux":null}`, ``},
		{"other platform", `{"windows":{}}`, `windows: ignored: not for Linux containers`},
		{"umask", p(`"user":{"umask":512}`), `process.user.umask: only the lower nine bits count`},
		{"console", p(`"terminal":true,"consoleSize":{"width":65536}`), `process.consoleSize: larger than a terminal can be: only the lower 16 bits count`},
		{"console without terminal", p(`"consoleSize":{"width":65536}`), ``},
		{"unknown capabilities", p(`"capabilities":{"bounding":["CAP_UNKNOWN","CAP_KILL"],"effective":["CAP_UNKNOWN","\n"]}`), `process.capabilities: ignoring unknown or unavailable capabilities: "CAP_UNKNOWN" "\n"`},
		{"ambient not inheritable", p(`"capabilities":{"inheritable":["CAP_KILL"],"permitted":["CAP_KILL","CAP_CHOWN"],"ambient":["CAP_KILL","CAP_CHOWN"]}`), `process.capabilities.ambient: can't raise ambient capability CAP_CHOWN: it is not inheritable`},
		{"ambient not permitted", p(`"capabilities":{"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]}`), `process.capabilities.ambient: can't raise ambient capability CAP_KILL: it is not permitted`},
		{"relative destination", m(`"destination":"a","type":"tmpfs"`), `mounts[0].destination: "a" is not absolute, which is deprecated: it is taken as relative to "/"`},
		{"bind mount of nothing", m(`"destination":"/a","options":["bind"]`), `mounts[0].source: not given: the bundle itself is mounted`},
		{"mappings of joined namespace", l(`"namespaces":[{"type":"user","path":"/a"}],"uidMappings":[{"size":1}]`), `linux.uidMappings: given beside the user namespace to join: only compared with its mappings`},
		{"device rule access", r(`"devices":[{"access":"rwa"}]`), `linux.resources.devices[0].access: "rwa" has more than "r", "w" and "m": the rest is ignored`},
		{"swappiness", r(`"memory":{"swappiness":101}`), `linux.resources.memory.swappiness: not between 0 and 100`},
		{"personality flags", l(`"personality":{"domain":"LINUX","flags":["X"]}`), `linux.personality.flags: ignored: no flag is defined`},
		{"cache schema", l(`"intelRdt":{"l3CacheSchema":"0=f"}`), `linux.intelRdt.l3CacheSchema: should be one line that starts with "L3:"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := configured(t, test.fragment)
			if err := Validate(s); err != nil {
				t.Fatal(err)
			}
			want := ""
			if test.want != "" {
				want = "config.json: " + test.want
			}
			if got := strings.Join(Warnings(s), "|"); got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// TestSections: every section that a check names is a heading.
func TestSections(t *testing.T) {
	headings := make(map[string]bool)
	for _, file := range []string{"config.md", "config-linux.md"} {
		data, err := os.ReadFile(specModule(t) + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, "#") {
				title := line[strings.LastIndex(line, ">")+1:]
				title = strings.ToLower(strings.TrimSpace(strings.TrimLeft(title, "# ")))
				headings[file+"#"+strings.ReplaceAll(title, " ", "-")] = true
			}
		}
	}
	var sections []string
	for _, c := range checks {
		sections = append(sections, c.section)
	}
	for _, c := range processChecks {
		sections = append(sections, c.section)
	}
	for _, c := range resourceChecks {
		sections = append(sections, c.section)
	}
	for _, section := range sections {
		if !headings[section] {
			t.Errorf("%s is not a heading of the specification", section)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(base))
	data, _ := json.Marshal(maximal(f))
	f.Add(data)
	for _, file := range exampleFiles(f) {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		if err := Validate(s); err != nil && strings.ContainsAny(err.Error(), "\n\r\x00") {
			t.Errorf("not one line: %q", err)
		}
		for _, line := range Warnings(s) {
			if strings.ContainsAny(line, "\n\r\x00") {
				t.Errorf("not one line: %q", line)
			}
		}
	})
}
