package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/moby/sys/userns"
)

// The programs that give a user's container a network.
const (
	pastaName = "pasta"
	slirpName = "slirp4netns"
)

// UserRequest says what network a container of a user other than root shall
// have.
type UserRequest struct {
	Container     string // its id
	Namespace     string // its network namespace, such as /proc/PID/ns/net
	UserNamespace string // the user namespace that owns it, such as /proc/PID/ns/user; empty where it is the caller's
	Program       string // slirp4netns or pasta; the first of them that is installed where empty
	Ports         []Port // to publish
	Files         *Files // written anew with what the network is; nil: none

	held *os.File // what slirp4netns holds open, as groundFD
}

// AttachUser starts pasta or slirp4netns for a container that has been created
// and does not run yet. [Store.Detach] ends it; so does the end of the namespace
// with pasta.
//
// After an error nothing is left. [exec.ErrNotFound]: the program is not
// installed.
func (s *Store) AttachUser(ctx context.Context, r UserRequest) (Attachment, error) {
	program, err := findUserProgram(r.Program)
	if err != nil {
		return Attachment{}, err
	}
	if err := errors.Join(checkName("container", r.Container), absolute(r.Namespace), absolute(r.UserNamespace)); err != nil {
		return Attachment{}, err
	}
	own, err := s.lockContainer(r.Container)
	if err != nil {
		return Attachment{}, err
	}
	defer own.Remove()
	if err := s.detach(ctx, r.Container, own); err != nil {
		return Attachment{}, err
	}
	a, err := s.reserveUser(r, program.name)
	if err != nil {
		return Attachment{}, fmt.Errorf("attaching container %s: %w", short(r.Container), err)
	}
	if err = s.startUser(ctx, &a, r, program); err != nil {
		return Attachment{}, s.undo(a, own, err)
	}
	return a, nil
}

// userProgram is one of the two, and how it is started.
type userProgram struct {
	name  string
	path  string
	start func(s *Store, ctx context.Context, path string, r UserRequest, ports []Port) (pid int, err error)
	dns   netip.Addr // what the container asks for names
}

// findUserProgram prefers slirp4netns where both are installed: pasta as in
// Debian 12 answers at published ports on the host's lo alone, on kernels that
// are newer than it.
func findUserProgram(name string) (userProgram, error) {
	known := []userProgram{
		{name: slirpName, start: (*Store).startSlirp, dns: slirpDNS},
		{name: pastaName, start: (*Store).startPasta, dns: pastaDNS},
	}
	for _, p := range known {
		if name != "" && name != p.name {
			continue
		}
		if p.name == pastaName && privileged() {
			if name == pastaName {
				return userProgram{}, errors.New("pasta gives up root's rights, and cannot open a network namespace then: it is for other users [root has bridges, and slirp4netns]")
			}
			continue
		}
		if path, err := lookPath(p.name); err == nil {
			p.path = path
			return p, nil
		}
	}
	wanted := name
	if name == "" {
		wanted = "neither pasta nor slirp4netns"
	}
	return userProgram{}, fmt.Errorf("%s: %w in $PATH: a container of a user other than root gets its network from it (install passt or slirp4netns, or use --network none or host)", wanted, exec.ErrNotFound)
}

// reserveUser writes down what is to be.
func (s *Store) reserveUser(r UserRequest, program string) (Attachment, error) {
	a := Attachment{Container: r.Container, Path: r.Namespace, User: &Process{Program: program}}
	ns, err := openNamespace(r.Namespace)
	if err != nil {
		return a, err
	}
	defer ns.close()
	if own, err := ns.own(); err != nil || own {
		return a, errors.Join(err, errors.New("the network namespace is the host's"))
	}
	if a.Namespace, err = ns.identity(); err != nil {
		return a, err
	}
	l, err := s.lock()
	if err != nil {
		return a, err
	}
	defer l.Release()
	if err := allowed(r.Ports); err != nil {
		return a, err
	}
	if a.Ports, err = s.freePorts(r.Ports); err != nil {
		return a, err
	}
	return a, s.write(a)
}

// privileged tells whether this is root, and not that of a user's namespace.
func privileged() bool { return os.Geteuid() == 0 && !userns.RunningInUserNS() }

// allowed refuses ports that a user may not publish.
// Linux 4.11: net.ipv4.ip_unprivileged_port_start.
func allowed(ports []Port) error {
	if privileged() {
		return nil
	}
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return nil // and see whether it works
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return nil
	}
	for _, p := range ports {
		if p.Host != 0 && int(p.Host) < first {
			return fmt.Errorf("publishing port %s: a user's ports begin at %d [choose another, or have root lower it: sysctl net.ipv4.ip_unprivileged_port_start]", p, first)
		}
	}
	return nil
}

func (s *Store) startUser(ctx context.Context, a *Attachment, r UserRequest, program userProgram) error {
	pid, err := program.start(s, ctx, program.path, r, a.Ports)
	if err != nil {
		return withoutTun(err)
	}
	if a.User.PID, a.User.Start = pid, startTime(pid); a.User.Start == 0 {
		return fmt.Errorf("%s has ended", program.name)
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	a.Ready = true
	if err := s.write(*a); err != nil || r.Files == nil {
		return err
	}
	return r.Files.write(reached{final: true, dns: []netip.Addr{program.dns}})
}

// tunDevice is what both programs make the container's network device with.
const tunDevice = "/dev/net/tun"

// withoutTun adds to an error why that device cannot be opened, if it cannot.
func withoutTun(err error) error {
	f, tunErr := os.OpenFile(tunDevice, os.O_RDWR, 0)
	switch {
	case tunErr == nil:
		f.Close()
		return err
	case errors.Is(tunErr, fs.ErrPermission):
		return fmt.Errorf("%w [only root may open %s: chmod 666 %[2]s, as udev does]", err, tunDevice)
	}
	return fmt.Errorf("%w [there is no %s: modprobe tun]", err, tunDevice)
}

// endUser ends the program of an attachment, also where a crash came between
// its start and the note of its pid.
func (s *Store) endUser(a Attachment) error {
	processes := []Process{*a.User}
	if a.User.PID == 0 {
		processes = find(s.mark(a.Container))
	}
	for _, p := range processes {
		if err := p.kill(); err != nil {
			return fmt.Errorf("ending %s: %w", a.User.Program, err)
		}
	}
	for _, suffix := range []string{".pid", ".sock", ".log"} {
		if err := os.Remove(s.mark(a.Container) + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// mark is how an argument of the program begins, by which it is known, and the
// name of its files.
func (s *Store) mark(container string) string { return s.path("user", container) }

// command is one whose output goes to a file: what outlives us cannot write to
// a pipe of ours.
func (s *Store) command(path, container string, args ...string) (*exec.Cmd, *os.File, error) {
	log, err := os.OpenFile(s.mark(container)+".log", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"PATH=" + searchPath(), "LC_ALL=C"}
	return cmd, log, nil
}

// complaint is what a program that failed says of it, in one line.
func complaint(name string, log *os.File, err error) error {
	text := make([]byte, 4<<10)
	n, _ := log.ReadAt(text, 0)
	var lines []string
	for line := range strings.Lines(string(text[:n])) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "syslog") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("running %s: %w", name, err)
	}
	return fmt.Errorf("running %s: %s", name, strings.Join(lines[max(0, len(lines)-2):], "; "))
}
