package needs

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Feature is one of the kernel's.
type Feature struct {
	Name   string
	Since  string // the first kernel with it, such as "5.12"
	Config string // the option that it needs, such as "VETH"; none for what is always built in
	Switch string // a file that holds 0 where the feature is switched off
}

// The features that tests ask for.
var (
	UserNamespaces = Feature{"user namespaces", "3.8", "USER_NS", "/proc/sys/user/max_user_namespaces"}
	Veth           = Feature{"pairs of virtual network devices", "2.6.24", "VETH", ""}
	Bridge         = Feature{"network bridges", "2.2", "BRIDGE", ""}
	Freezer        = Feature{"the freezer of cgroups", "2.6.28", "CGROUP_FREEZER", ""}
	IDMappedMounts = Feature{"idmapped mounts", "5.12", "", ""}
	MemfdNoExec    = Feature{"the sysctl vm.memfd_noexec", "6.3", "SYSCTL", ""}
	Devpts         = Feature{"terminals in devpts", "2.6.29", "UNIX98_PTYS", ""}
	Fuse           = Feature{"file systems in user space", "2.6.14", "FUSE_FS", ""}
	AppArmor       = Feature{"AppArmor", "2.6.36", "SECURITY_APPARMOR", "/sys/module/apparmor/parameters/enabled"}
	Cgroup2        = Feature{"cgroup v2", "4.5", "CGROUPS", ""}
	OverlayLayers  = Feature{"overlayfs' option lowerdir+", "6.5", "OVERLAY_FS", ""}
	FileWhiteouts  = Feature{"files with an attribute as whiteouts of overlayfs", "6.7", "", ""}
	Pids           = Feature{"the pids controller of cgroups", "4.3", "CGROUP_PIDS", ""}
)

// kernel is what a machine's kernel is known to be.
type kernel struct {
	release string
	options map[string]string // without CONFIG_, to y, m or a value; nil: not known
	read    func(path string) string
}

// missing says why a kernel cannot have a feature; nothing where it has it.
func (f Feature) missing(k kernel) string {
	if older(k.release, f.Since) {
		return fmt.Sprintf("it is %s, older than %s", k.release, f.Since)
	}
	if f.Switch != "" {
		if value := k.read(f.Switch); value == "0" || value == "N" {
			return f.Switch + " is " + value
		}
	}
	switch {
	case f.Config == "":
		return ""
	case k.options == nil:
		return "whether CONFIG_" + f.Config + " is set cannot be known"
	case k.options[f.Config] == "":
		return "CONFIG_" + f.Config + " is not set"
	case k.options[f.Config] == "m":
		return "CONFIG_" + f.Config + " is a module, which may not be loaded"
	}
	return ""
}

// older compares releases such as "6.1.0-18-amd64" by their first two numbers.
func older(release, than string) bool {
	var a, b [2]int
	fmt.Sscanf(release, "%d.%d", &a[0], &a[1])
	fmt.Sscanf(than, "%d.%d", &b[0], &b[1])
	return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
}

// thisKernel is the running one.
var thisKernel = sync.OnceValue(func() kernel {
	var u unix.Utsname
	unix.Uname(&u)
	release := unix.ByteSliceToString(u.Release[:])
	return kernel{release, configuration(release), readLine}
})

func readLine(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}

// configuration is the running kernel's, or nil where it is not told.
func configuration(release string) map[string]string {
	if f, err := os.Open("/proc/config.gz"); err == nil {
		defer f.Close()
		if r, err := gzip.NewReader(f); err == nil {
			return parseConfiguration(r)
		}
	}
	f, err := os.Open("/boot/config-" + release)
	if err != nil {
		return nil
	}
	defer f.Close()
	return parseConfiguration(f)
}

func parseConfiguration(r io.Reader) map[string]string {
	options := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if name, value, found := strings.Cut(strings.TrimPrefix(lines.Text(), "CONFIG_"), "="); found {
			options[name] = value
		}
	}
	return options
}
