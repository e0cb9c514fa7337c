package criu

import (
	"fmt"
	"os"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Options are what dumping and restoring have in common.
type Options struct {
	Images     *os.File // the directory of the image files
	Work       *os.File // the directory of logs and statistics; nil is Images
	LogFile    string   // its name in Work
	ConfigFile string   // of criu's own options, which win; "" for none
	Root       string   // the root file system; to restore, a mount point

	TCPEstablished bool // keep TCP connections
	ExtUnixSockets bool // keep unix sockets whose other end is outside
	ShellJob       bool // the processes belong to a terminal outside
	FileLocks      bool // keep file locks
	AutoDedup      bool // give back the space of pages that a later image has
	LazyPages      bool // leave the memory pages to a page server
	EmptyNetwork   bool // the network namespace's devices, addresses and rules are another's to restore

	Cgroups     CgroupMode
	NetworkLock NetworkLock
	Mounts      []Mount // that come from outside
}

// Mount is a mount that criu does not make from its image: Dest is its place,
// when dumping, and the name that it gets there is its Dest when restoring.
type Mount struct {
	Dest string
	To   string // dumping: its name in the image; restoring: the file or directory that is mounted
}

// Dump is a request to write processes to image files.
type Dump struct {
	Options
	Pid             int      // the root of the tree of processes
	LeaveRunning    bool     // do not kill them
	TCPSkipInFlight bool     // skip connections that are not yet accepted
	LinkRemap       bool     // link deleted files back
	ParentImages    string   // an earlier dump, relative to Images
	PageServer      *Address // send the pages there; with LazyPages, serve them there
	FreezeCgroup    string   // stop the processes by this cgroup
	External        []string // what else comes from outside: TYPE[INODE]:NAME
}

// Address is where a page server listens.
type Address struct {
	Host string
	Port int
}

// Restore is a request to make processes from image files.
type Restore struct {
	Options
	TCPClose        bool         // restore TCP connections as closed
	LSMProfile      string       // TYPE:NAME, in place of the one in the image
	LSMMountContext string       // in place of the ones in the image
	CgroupRoots     []CgroupRoot // where the image's cgroups are now
	Inherit         []Inherited
	Join            []Namespace
}

// CgroupRoot is a cgroup, by controller, in place of that of the dumped root
// process. The path is as /proc/PID/cgroup has it.
type CgroupRoot struct{ Controller, Path string }

// Inherited is a descriptor of criu's that stands for something of the image.
type Inherited struct {
	Name string
	FD   int
}

// Namespace is one that is joined in place of the image's.
type Namespace struct {
	Type string // its name in /proc/PID/ns
	Path string
}

// CgroupMode says what of the cgroups is restored.
type CgroupMode int

// The modes. Source: https://criu.org/CGroups
const (
	CgroupDefault CgroupMode = iota
	CgroupSoft
	CgroupFull
	CgroupStrict
	CgroupIgnore
)

var cgroupModes = [...]struct {
	name string
	mode rpc.CriuCgMode
}{
	CgroupDefault: {"", rpc.CriuCgMode_DEFAULT},
	CgroupSoft:    {"soft", rpc.CriuCgMode_SOFT},
	CgroupFull:    {"full", rpc.CriuCgMode_FULL},
	CgroupStrict:  {"strict", rpc.CriuCgMode_STRICT},
	CgroupIgnore:  {"ignore", rpc.CriuCgMode_IGNORE},
}

// ParseCgroupMode reads a mode's name; "" is the default.
// Compat(runc): the text of its error.
func ParseCgroupMode(name string) (CgroupMode, error) {
	for mode := range cgroupModes {
		if cgroupModes[mode].name == name {
			return CgroupMode(mode), nil
		}
	}
	return 0, fmt.Errorf("invalid manage-cgroups-mode value: %q [soft, full, strict or ignore]", name)
}

// NetworkLock says how packets are held back meanwhile.
type NetworkLock int

// The ways.
const (
	LockDefault NetworkLock = iota
	LockIPTables
	LockNFTables
	LockSkip
)

var networkLocks = [...]struct {
	name  string
	since Version
}{
	LockIPTables: {"iptables", 31600},
	LockNFTables: {"nftables", 31700},
	LockSkip:     {"skip", 31800},
}

// ParseNetworkLock reads a way's name.
func ParseNetworkLock(name string) (NetworkLock, error) {
	for lock := LockDefault; int(lock) < len(networkLocks); lock++ {
		if networkLocks[lock].name == name {
			return lock, nil
		}
	}
	return 0, fmt.Errorf("invalid network-lock value: %q [iptables, nftables or skip]", name)
}

// logLevel makes criu log what it does.
const logLevel = 4

// rpc is the options as criu takes them.
func (o *Options) rpc() *rpc.CriuOpts {
	opts := &rpc.CriuOpts{
		ImagesDirFd: set(int32(o.Images.Fd())), LogLevel: set(int32(logLevel)), LogFile: &o.LogFile,
		Root: &o.Root, NotifyScripts: yes(), OrphanPtsMaster: yes(),
		TcpEstablished: &o.TCPEstablished, ExtUnixSk: &o.ExtUnixSockets, ShellJob: &o.ShellJob,
		FileLocks: &o.FileLocks, AutoDedup: &o.AutoDedup, LazyPages: &o.LazyPages,
		ManageCgroups: yes(), ManageCgroupsMode: &cgroupModes[o.Cgroups].mode,
	}
	if o.Work != nil {
		opts.WorkDirFd = set(int32(o.Work.Fd()))
	}
	if o.ConfigFile != "" {
		opts.ConfigFile = &o.ConfigFile
	}
	if o.EmptyNetwork {
		opts.EmptyNs = set(uint32(unix.CLONE_NEWNET))
	}
	if o.NetworkLock != LockDefault {
		opts.NetworkLock = set(rpc.CriuNetworkLockMethod(o.NetworkLock))
	}
	for _, m := range o.Mounts {
		opts.ExtMnt = append(opts.ExtMnt, &rpc.ExtMountMap{Key: &m.Dest, Val: &m.To})
	}
	return opts
}

func (d *Dump) rpc() *rpc.CriuOpts {
	opts := d.Options.rpc()
	opts.Pid = set(int32(d.Pid))
	opts.LeaveRunning, opts.TcpSkipInFlight, opts.LinkRemap = &d.LeaveRunning, &d.TCPSkipInFlight, &d.LinkRemap
	opts.External = d.External
	if d.FreezeCgroup != "" {
		opts.FreezeCgroup = &d.FreezeCgroup
	}
	if d.ParentImages != "" {
		opts.ParentImg, opts.TrackMem = &d.ParentImages, yes()
	}
	if d.PageServer != nil {
		opts.Ps = &rpc.CriuPageServerInfo{Address: &d.PageServer.Host, Port: set(int32(d.PageServer.Port))}
	}
	return opts
}

func (r *Restore) rpc() *rpc.CriuOpts {
	opts := r.Options.rpc()
	opts.RstSibling, opts.EvasiveDevices = yes(), yes()
	opts.TcpClose = &r.TCPClose
	if r.LSMProfile != "" {
		opts.LsmProfile = &r.LSMProfile
	}
	if r.LSMMountContext != "" {
		opts.LsmMountContext = &r.LSMMountContext
	}
	for _, c := range r.CgroupRoots {
		opts.CgRoot = append(opts.CgRoot, &rpc.CgroupRoot{Ctrl: &c.Controller, Path: &c.Path})
	}
	for _, i := range r.Inherit {
		opts.InheritFd = append(opts.InheritFd, &rpc.InheritFd{Key: &i.Name, Fd: set(int32(i.FD))})
	}
	for _, n := range r.Join {
		opts.JoinNs = append(opts.JoinNs, &rpc.JoinNamespace{Ns: &n.Type, NsFile: &n.Path})
	}
	return opts
}

// check refuses what this criu is too old for.
func (o *Options) check(s *Session) error {
	if o.NetworkLock == LockDefault {
		return nil
	}
	lock := networkLocks[o.NetworkLock]
	return s.Require("--network-lock "+lock.name, lock.since)
}

func (r *Restore) check(s *Session) error {
	if r.LSMProfile != "" {
		if err := s.Require("--lsm-profile", 31600); err != nil {
			return err
		}
	}
	if r.LSMMountContext != "" {
		if err := s.Require("--lsm-mount-context", 31600); err != nil {
			return err
		}
	}
	return r.Options.check(s)
}
