package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// restoring has the flags of davit restore.
type restoring struct {
	running
	image
	tcpClose        bool
	lsmProfile      string
	lsmMountContext string
}

// restoreCommand is davit restore.
func (p *program) restoreCommand() *cobra.Command {
	var r restoring
	cmd := &cobra.Command{
		Use:   "restore <container-id>",
		Short: "make a container from image files, and wait for its end",
		Long: `Makes a container from a bundle and, in place of starting its program, from the
image files that davit checkpoint wrote of one from the same configuration. Then
it does as davit run does. What the image says of the container's surroundings
must agree with config.json. It is criu(8) that does the work, and it must be
installed.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.restore(args[0], &r) },
	}
	fs := cmd.Flags()
	r.image.register(fs)
	fs.StringVarP(&r.bundle, "bundle", "b", "", "the bundle's `DIR` (default is the current directory)")
	fs.StringVarP(&r.config, "config", "f", "", "read the configuration from `FILE` (default is config.json in the bundle)")
	fs.StringVar(&r.consoleSocket, "console-socket", "", "send the master of the terminal to the unix `SOCKET`")
	fs.StringVar(&r.pidFile, "pid-file", "", "write the pid of the container's first process to `FILE`")
	fs.BoolVarP(&r.detach, "detach", "d", false, "do not wait for the program's end")
	fs.BoolVar(&r.keep, "keep", false, "do not delete the container after the program's end")
	fs.BoolVar(&r.noSubreaper, "no-subreaper", false, "do not adopt the processes that the container's leave behind")
	fs.BoolVar(&r.noPivot, "no-pivot", false, "accepted as for run: how the root is entered is criu's to choose")
	fs.BoolVar(&r.tcpClose, "tcp-close", false, "restore established TCP connections as closed")
	fs.BoolVar(&r.lazyPages, "lazy-pages", false, "let criu's lazy-pages daemon bring the memory pages when they are wanted")
	fs.StringVar(&r.lsmProfile, "lsm-profile", "", "confine the processes by `TYPE:NAME` in place of what the image has; TYPE is apparmor or selinux")
	fs.StringVar(&r.lsmMountContext, "lsm-mount-context", "", "the SELinux `CONTEXT` of the mounts in place of what the image has")
	return cmd
}

// restore makes a container from image files, and sees it through to its end
// unless it is detached.
func (p *program) restore(id string, r *restoring) error {
	p.warnRootless("restore")
	rt, bundle, created, err := p.prepare(id, &r.creation)
	if err != nil {
		return err
	}
	if err := p.checkTerminal(r.attachment(), bundle.Spec.Process, r.consoleSocket); err != nil {
		return err
	}
	options, err := r.options(created)
	if err != nil {
		return err
	}
	l := &launch{program: p, running: &r.running, rt: rt, id: id, bundle: bundle}
	l.begin = func() (*libcontainer.Container, error) {
		options.Console = l.console
		return rt.Restore(id, bundle, options)
	}
	if r.detach {
		return l.detached()
	}
	return l.foreground()
}

// options are libcontainer's that the flags and the environment stand for.
func (r *restoring) options(created libcontainer.CreateOptions) (o libcontainer.RestoreOptions, err error) {
	o = libcontainer.RestoreOptions{
		Stdio:         [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
		ConsoleSocket: r.consoleSocket, PidFile: r.pidFile, NotifySocket: created.NotifySocket,
		TCPClose: r.tcpClose, LSMProfile: r.lsmProfile, LSMMountContext: r.lsmMountContext,
	}
	o.ImageOptions, err = r.image.options()
	return o, err
}
