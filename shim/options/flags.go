package options

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/bundle/config"
)

// Flags are the values of the flags.
type Flags struct {
	// User is USER[:GROUP], and Groups are further groups: they are looked up in
	// the container.
	User   string
	Groups []string
	// Terminal is whether the program has one.
	Terminal bool

	entrypoint, workdir             string
	entrypointGiven                 func() bool
	env, envFiles                   []string
	privileged, readOnly            bool
	capAdd, capDrop, securityOpts   []string
	ulimits, sysctls, annotations   []string
	oomScoreAdj                     int
	volumes, mounts, tmpfs          []string
	devices, deviceRules            []string
	shmSize                         string
	hostname, domainname            string
	network, pid, ipc, uts, cgroups string
	userns                          string
	uidMaps, gidMaps                []string
	stopSignal                      string
	limits                          limits
}

// Wanted is what the flags say.
type Wanted struct {
	config.Options
	// Volumes are named and anonymous volumes.
	Volumes []Volume
	// Joined are the containers whose namespaces are joined, as they were named.
	Joined map[specs.LinuxNamespaceType]string
	// IPC is what --ipc says.
	IPC string
	// Sources are directories of the host that are made where they are missing.
	// Compat(moby): -v makes them, --mount does not.
	Sources []string
}

// Volume is a volume on a directory of the container.
type Volume struct {
	Name        string // "" is anonymous
	Destination string
	ReadOnly    bool
	NoCopy      bool // the image's files are not copied into a new volume
}

// Add adds the flags to a set.
func (f *Flags) Add(fs *pflag.FlagSet) {
	f.addProcess(fs)
	f.addFiles(fs)
	f.addNamespaces(fs)
	f.addSecurity(fs)
	f.limits.add(fs)
}

func (f *Flags) addProcess(fs *pflag.FlagSet) {
	fs.StringVar(&f.entrypoint, "entrypoint", "", "replace the image's entrypoint by `COMMAND`, which is one word; empty for none")
	f.entrypointGiven = func() bool { return fs.Changed("entrypoint") }
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set a variable, `NAME=VALUE`; NAME alone takes the caller's value")
	fs.StringArrayVar(&f.envFiles, "env-file", nil, "set the variables in `FILE`, one a line")
	fs.StringVarP(&f.workdir, "workdir", "w", "", "run the program in the directory `DIR` of the container")
	fs.StringVarP(&f.User, "user", "u", "", "run the program as `USER[:GROUP]`, names of the container or numbers")
	fs.StringArrayVar(&f.Groups, "group-add", nil, "be in `GROUP` too")
	fs.BoolVarP(&f.Terminal, "tty", "t", false, "give the program a terminal")
	fs.StringArrayVar(&f.ulimits, "ulimit", nil, "set a limit of the process, `NAME=SOFT[:HARD]`")
	fs.IntVar(&f.oomScoreAdj, "oom-score-adj", 0, "how soon the kernel ends the program when memory is short, from -1000 to 1000")
	fs.StringVar(&f.stopSignal, "stop-signal", "", "ask the program to end by `SIGNAL` (default is the image's, or SIGTERM)")
	fs.StringArrayVar(&f.annotations, "annotation", nil, "hand `NAME=VALUE` to the runtime")
}

func (f *Flags) addFiles(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.volumes, "volume", "v", nil, "mount a directory or file of the host, `SOURCE:TARGET[:OPTIONS]`")
	fs.StringArrayVar(&f.mounts, "mount", nil, "mount, `type=TYPE,source=SOURCE,target=TARGET[,...]`")
	fs.StringArrayVar(&f.tmpfs, "tmpfs", nil, "mount memory on a directory, `TARGET[:OPTIONS]`")
	fs.BoolVar(&f.readOnly, "read-only", false, "make the root file system read-only")
	fs.StringVar(&f.shmSize, "shm-size", "", "the `SIZE` of /dev/shm (default 64m)")
	fs.StringArrayVar(&f.devices, "device", nil, "give a device of the host, `SOURCE[:TARGET][:rwm]`")
	fs.StringArrayVar(&f.deviceRules, "device-cgroup-rule", nil, "allow devices, `\"TYPE MAJOR:MINOR rwm\"`")
}

func (f *Flags) addNamespaces(fs *pflag.FlagSet) {
	fs.StringVarP(&f.hostname, "hostname", "h", "", "the container's `NAME` of itself")
	fs.StringVar(&f.domainname, "domainname", "", "the container's NIS `DOMAIN`")
	fs.StringVar(&f.pid, "pid", "", "processes: `WHICH` is host, container:ID, or ns:PATH (default is its own)")
	fs.StringVar(&f.ipc, "ipc", "", "shared memory and messages: `WHICH` is private, shareable, none, host, container:ID, or ns:PATH (default is private)")
	fs.StringVar(&f.uts, "uts", "", "host name: `WHICH` is host, or ns:PATH (default is its own)")
	fs.StringVar(&f.cgroups, "cgroupns", "", "cgroups: `WHICH` is private, host, or ns:PATH (default is private where cgroup v2 is alone)")
	fs.StringVar(&f.userns, "userns", "", "users: `WHICH` is host, or ns:PATH")
	fs.StringArrayVar(&f.uidMaps, "uidmap", nil, "map uids in a user namespace, `CONTAINER:HOST:SIZE`")
	fs.StringArrayVar(&f.gidMaps, "gidmap", nil, "map gids in a user namespace, `CONTAINER:HOST:SIZE`")
	fs.StringArrayVar(&f.sysctls, "sysctl", nil, "set a kernel's setting of the container's namespaces, `NAME=VALUE`")
}

// AddNetwork adds --network for a command that makes no networks: the
// container has one of its own with nothing in it, or one that exists.
func (f *Flags) AddNetwork(fs *pflag.FlagSet) {
	fs.StringVar(&f.network, "network", "none", "network: `WHICH` is none, host, or ns:PATH")
}

func (f *Flags) addSecurity(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.capAdd, "cap-add", nil, "add the Linux `CAPABILITY`, or ALL")
	fs.StringArrayVar(&f.capDrop, "cap-drop", nil, "drop the Linux `CAPABILITY`, or ALL")
	fs.BoolVar(&f.privileged, "privileged", false, "give all capabilities and devices, without seccomp and masks")
	fs.StringArrayVar(&f.securityOpts, "security-opt", nil, "`OPTION` is no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, label=LABEL, or systempaths=unconfined")
}

// Wanted is what the flags say, and the command of the arguments.
func (f *Flags) Wanted(command []string) (*Wanted, error) {
	w := &Wanted{}
	w.Command, w.Cwd, w.Terminal = command, f.workdir, f.Terminal
	w.CapAdd, w.CapDrop, w.Privileged = f.capAdd, f.capDrop, f.privileged
	w.ReadOnly, w.Hostname, w.Domainname, w.StopSignal = f.readOnly, f.hostname, f.domainname, f.stopSignal
	if f.entrypointGiven() {
		w.Entrypoint = []string{f.entrypoint}
	}
	if f.oomScoreAdj != 0 {
		w.OOMScoreAdj = &f.oomScoreAdj
	}
	for _, step := range [...]func(*Wanted) error{
		f.environment, f.pairs, f.rlimits, f.security, f.namespaces, f.mappings,
		f.binds, f.mountFlags, f.tmpfsFlags, f.shm, f.deviceFlags, f.ruleFlags, f.limits.wanted,
	} {
		if err := step(w); err != nil {
			return nil, err
		}
	}
	return w, nil
}
