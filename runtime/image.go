package main

import (
	"fmt"
	"os"

	"github.com/moby/sys/userns"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/criu"
)

// defaultImages is the directory of an image when none is given.
const defaultImages = "checkpoint"

// image has the flags that checkpoint and restore have in common.
type image struct {
	path           string
	work           string
	tcpEstablished bool
	extUnixSockets bool
	shellJob       bool
	fileLocks      bool
	lazyPages      bool
	autoDedup      bool
	cgroups        string
	networkLock    string
	emptyNS        []string
}

// register declares the flags.
func (i *image) register(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVar(&i.path, "image-path", defaultImages, "the `DIR` of the image files")
	fs.StringVar(&i.work, "work-path", "", "the `DIR` of criu's log and statistics (default is that of the image)")
	fs.BoolVar(&i.tcpEstablished, "tcp-established", false, "keep established TCP connections")
	fs.BoolVar(&i.extUnixSockets, "ext-unix-sk", false, "keep unix sockets whose other end is outside")
	fs.BoolVar(&i.shellJob, "shell-job", false, "allow processes that belong to a terminal outside")
	fs.BoolVar(&i.fileLocks, "file-locks", false, "keep file locks")
	fs.StringVar(&i.cgroups, "manage-cgroups-mode", "", "what to do about the cgroups, `MODE` is soft, full, strict or ignore (default is soft)")
	fs.StringArrayVar(&i.emptyNS, "empty-ns", nil, "leave out what is in the `NAMESPACE`: network, which always is")
	fs.BoolVar(&i.autoDedup, "auto-dedup", false, "give back the space of memory pages that a later image has again")
	fs.StringVar(&i.networkLock, "network-lock", "", "hold packets back by `METHOD`: iptables, nftables or skip (default is iptables)")
}

// options are libcontainer's that the flags stand for.
func (i *image) options() (o libcontainer.ImageOptions, err error) {
	o = libcontainer.ImageOptions{
		Images: i.path, Work: i.work,
		TCPEstablished: i.tcpEstablished, ExtUnixSockets: i.extUnixSockets, ShellJob: i.shellJob,
		FileLocks: i.fileLocks, AutoDedup: i.autoDedup, LazyPages: i.lazyPages,
	}
	if o.Images == "" {
		o.Images = defaultImages
	}
	if err := checkEmptyNamespaces(i.emptyNS); err != nil {
		return o, err
	}
	if o.Cgroups, err = criu.ParseCgroupMode(i.cgroups); err != nil || i.networkLock == "" {
		return o, err
	}
	o.NetworkLock, err = criu.ParseNetworkLock(i.networkLock)
	return o, err
}

// checkEmptyNamespaces refuses what criu cannot leave out.
// Compat(runc): the text.
func checkEmptyNamespaces(types []string) error {
	for _, t := range types {
		if t != string(specs.NetworkNamespace) {
			return fmt.Errorf("namespace %q is not supported", t)
		}
	}
	return nil
}

// isHostRoot tells whether davit has the rights that criu needs.
func isHostRoot() bool { return os.Geteuid() == 0 && !userns.RunningInUserNS() }

// warnRootless says what is to be expected without root's rights.
func (p *program) warnRootless(command string) {
	if !isHostRoot() {
		p.log.warn(fmt.Sprintf("%s %s is untested with rootless containers", p.name, command))
	}
}
