package libcontainer

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/rootpath"
)

// What of a container comes from the host is not in its image: criu is told of
// it by name when it dumps, and what goes by that name when it restores. The
// second always follows from the bundle's configuration, never from the image.

// nullDevice is the name of what hides masked files.
const nullDevice = "/dev/null"

// dumpMounts names the mounts that come from the host, by their places.
func dumpMounts(rootfs string, mounts []plan.ExternalMount) []criu.Mount {
	list := make([]criu.Mount, 0, len(mounts))
	for _, m := range mounts {
		place := inRootfs(rootfs, m.Dest)
		list = append(list, criu.Mount{Dest: place, To: place})
	}
	return list
}

// restoreMounts says what is mounted for the names that dumpMounts gave.
func restoreMounts(rootfs string, mounts []plan.ExternalMount) []criu.Mount {
	list := make([]criu.Mount, 0, len(mounts)+1)
	for _, m := range mounts {
		list = append(list, criu.Mount{Dest: inRootfs(rootfs, m.Dest), To: m.Source})
	}
	return append(list, criu.Mount{Dest: nullDevice, To: nullDevice})
}

// inRootfs is a destination without links, as the container's mount table has
// it. It is a name, and not opened by it.
func inRootfs(rootfs, dest string) string {
	place, err := securejoin.SecureJoin(rootfs, dest)
	if err != nil {
		return dest
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(place, rootfs), "/")
}

// maskedFiles names the masks of files that there are in the container of a
// process. Directories are masked with a file system that is the container's own.
func maskedFiles(pid int, paths []string) ([]criu.Mount, error) {
	root, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the container's root: %w", pathError(err))
	}
	defer root.Close()
	var list []criu.Mount
	for _, p := range paths {
		f, err := rootpath.Open(root, rootpath.InRoot(p))
		if err != nil {
			continue // as for the mask itself
		}
		var st unix.Stat_t
		err = unix.Fstat(int(f.Fd()), &st)
		f.Close()
		if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			list = append(list, criu.Mount{Dest: p, To: nullDevice})
		}
	}
	return list, nil
}

// externalNamespace is what criu calls a namespace of a type that it leaves
// alone where the configuration gives a path; "" for other types.
// Compat(runc), Compat(crun): the names are in images.
func externalNamespace(t specs.LinuxNamespaceType) (kind, name string) {
	switch t {
	case specs.NetworkNamespace:
		return "net", "extRootNetNS"
	case specs.PIDNamespace:
		return "pid", "extRootPidNS"
	}
	return "", ""
}

// joinedNamespace is criu's name of a type of the others; "" for one that it
// cannot join.
func joinedNamespace(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.MountNamespace:
		return "mnt"
	case specs.IPCNamespace, specs.TimeNamespace, specs.UserNamespace, specs.UTSNamespace:
		return string(t)
	}
	return ""
}

// dumpNamespaces names the namespaces that the configuration gives by path.
func dumpNamespaces(l *specs.Linux) ([]string, error) {
	var list []string
	for _, ns := range l.Namespaces {
		kind, name := externalNamespace(ns.Type)
		if kind == "" || ns.Path == "" {
			continue
		}
		f, err := openNamespace(ns.Path)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		err = unix.Fstat(int(f.Fd()), &st)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("looking at the namespace %s: %w", ns.Path, err)
		}
		list = append(list, fmt.Sprintf("%s[%d]:%s", kind, st.Ino, name))
	}
	return list, nil
}

// joined are the namespaces that a restored container enters.
type joined struct {
	names []string   // of those that criu inherits
	files []*os.File // of these
	join  []criu.Namespace
	held  []*os.File // of the others, which criu opens through this process
}

// openJoined opens what the configuration names by path.
func openJoined(l *specs.Linux) (*joined, error) {
	j := &joined{}
	for _, ns := range l.Namespaces {
		if ns.Path == "" {
			continue
		}
		if err := j.open(ns); err != nil {
			j.close()
			return nil, err
		}
	}
	return j, nil
}

func (j *joined) open(ns specs.LinuxNamespace) error {
	_, external := externalNamespace(ns.Type)
	name := joinedNamespace(ns.Type)
	if external == "" && name == "" {
		return fmt.Errorf("restoring into the %s namespace %s: criu cannot join one", ns.Type, ns.Path)
	}
	f, err := openNamespace(ns.Path)
	if err != nil {
		return err
	}
	if external != "" {
		j.names, j.files = append(j.names, external), append(j.files, f)
		return nil
	}
	j.held = append(j.held, f)
	j.join = append(j.join, criu.Namespace{Type: name, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())})
	return nil
}

func (j *joined) close() {
	for _, f := range append(j.files, j.held...) {
		f.Close()
	}
}
