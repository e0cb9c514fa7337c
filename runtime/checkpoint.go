package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/criu"
)

// checkpointing has the flags of davit checkpoint.
type checkpointing struct {
	image
	parent          string
	leaveRunning    bool
	preDump         bool
	tcpSkipInFlight bool
	linkRemap       bool
	pageServer      string
	statusFD        int
}

// checkpointCommand is davit checkpoint.
func (p *program) checkpointCommand() *cobra.Command {
	var c checkpointing
	cmd := &cobra.Command{
		Use:   "checkpoint <container-id>",
		Short: "write a running container to image files",
		Long: `Writes a container's processes, with their memory and open files, to image files,
ends them and deletes the container. davit restore makes them again, here or on
another host that has the same root file system. It is criu(8) that does the work,
and it must be installed.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.checkpoint(args[0], &c) },
	}
	fs := cmd.Flags()
	c.register(fs)
	fs.StringVar(&c.parent, "parent-path", "", "an earlier image's `DIR`, relative to the image: write only what has changed since")
	fs.BoolVar(&c.leaveRunning, "leave-running", false, "let the container run on")
	fs.BoolVar(&c.preDump, "pre-dump", false, "write the memory only, and let the container run on")
	fs.BoolVar(&c.tcpSkipInFlight, "tcp-skip-in-flight", false, "skip TCP connections that are not yet accepted")
	fs.BoolVar(&c.linkRemap, "link-remap", false, "link deleted files back to a name where that can be done")
	fs.BoolVar(&c.lazyPages, "lazy-pages", false, "serve the memory to whoever restores the image, when it is wanted")
	fs.StringVar(&c.pageServer, "page-server", "", "send memory pages to `ADDRESS:PORT`; with --lazy-pages, serve them there")
	fs.IntVar(&c.statusFD, "status-fd", -1, "write a zero byte to the descriptor `FD` when --lazy-pages is ready to serve")
	return cmd
}

// checkpoint writes a container to image files.
func (p *program) checkpoint(id string, c *checkpointing) error {
	p.warnRootless("checkpoint")
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	options, err := c.options()
	if err == nil {
		err = container.Checkpoint(options)
	}
	if err != nil || options.LeaveRunning || options.PreDump {
		container.Close()
		return err
	}
	if err := container.Destroy(); err != nil {
		p.log.warn(err.Error())
	}
	return nil
}

// options are libcontainer's that the flags stand for.
func (c *checkpointing) options() (o libcontainer.CheckpointOptions, err error) {
	o = libcontainer.CheckpointOptions{
		Parent: c.parent, PreDump: c.preDump, LeaveRunning: c.leaveRunning,
		TCPSkipInFlight: c.tcpSkipInFlight, LinkRemap: c.linkRemap,
	}
	if o.ImageOptions, err = c.image.options(); err != nil {
		return o, err
	}
	if o.PageServer, err = parsePageServer(c.pageServer); err != nil || !c.lazyPages || c.statusFD == -1 {
		return o, err
	}
	o.Ready, err = statusFile(c.statusFD)
	return o, err
}

// parsePageServer reads ADDRESS:PORT.
// Compat(runc): the texts.
func parsePageServer(text string) (*criu.Address, error) {
	if text == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" {
		return nil, errors.New("Use --page-server ADDRESS:PORT to specify page server")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, errors.New("Invalid port number")
	}
	return &criu.Address{Host: host, Port: int(n)}, nil
}

// statusFile is a descriptor that davit's caller gave it, to be written to.
func statusFile(fd int) (*os.File, error) {
	if err := checkGiven(fd); err != nil {
		return nil, fmt.Errorf("invalid --status-fd argument %d: %w", fd, err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, fmt.Errorf("invalid --status-fd argument %d: %w", fd, err)
	}
	if mode := flags & unix.O_ACCMODE; mode != unix.O_WRONLY && mode != unix.O_RDWR {
		return nil, fmt.Errorf("invalid --status-fd argument %d: not writable", fd)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "status"), nil
}
