package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The addresses of slirp4netns's network, 10.0.2.0/24.
var (
	slirpDNS   = netip.AddrFrom4([4]byte{10, 0, 2, 3})
	slirpGuest = netip.AddrFrom4([4]byte{10, 0, 2, 100})
)

// slirpPatience is how long slirp4netns has for an answer.
const slirpPatience = 10 * time.Second

// startSlirp starts slirp4netns, waits until the network is there, and has it
// publish the ports.
func (s *Store) startSlirp(ctx context.Context, path string, r UserRequest, ports []Port) (pid int, err error) {
	socket := s.mark(r.Container) + ".sock"
	args := []string{"--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=3", "--api-socket=" + filepath.Base(socket), "--netns-type=path"}
	if r.UserNamespace != "" {
		args = append(args, "--userns-path="+r.UserNamespace)
	}
	cmd, log, err := s.command(path, r.Container, append(args, r.Namespace, "tap0")...)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd.Args[0] = s.mark(r.Container) // by which endUser knows it
	cmd.Dir = filepath.Dir(socket)    // for a socket's path is short
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if r.held != nil {
		cmd.ExtraFiles = []*os.File{r.held}
	}
	if err := startReady(ctx, cmd); err != nil {
		return 0, complaint(slirpName, log, err)
	}
	for _, p := range ports {
		if err := publishSlirp(socket, p, p.Container); err != nil {
			return 0, err
		}
	}
	return cmd.Process.Pid, nil
}

// startReady starts a command, and waits until it writes to descriptor 3.
func startReady(ctx context.Context, cmd *exec.Cmd) error {
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd.ExtraFiles = append([]*os.File{theirs}, cmd.ExtraFiles...)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	go cmd.Wait() // so that no zombie stays where we live longer
	stop := context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Now()) })
	defer stop()
	if _, err := io.ReadFull(ready, make([]byte, 1)); err != nil {
		cmd.Process.Kill()
		return fmt.Errorf("it is not ready: %w", errors.Join(ctx.Err(), err))
	}
	return nil
}

// publishSlirp asks slirp4netns to forward a port to one of its guest.
func publishSlirp(socket string, p Port, guest uint16) error {
	if p.Protocol != "tcp" && p.Protocol != "udp" {
		return fmt.Errorf("publishing port %s: slirp4netns forwards tcp and udp", p)
	}
	var answer struct {
		Error struct{ Desc string }
	}
	err := ask(socket, object{"execute": "add_hostfwd", "arguments": object{
		"proto": p.Protocol, "host_addr": p.slirpHost(), "host_port": p.Host, "guest_addr": slirpGuest, "guest_port": guest,
	}}, &answer)
	if err == nil && answer.Error.Desc != "" {
		err = errors.New(answer.Error.Desc)
	}
	if err != nil {
		return fmt.Errorf("publishing port %s: %w", p, err)
	}
	return nil
}

// slirpHost is the host's address, or 0.0.0.0.
func (p Port) slirpHost() netip.Addr {
	if p.HostIP.IsValid() {
		return p.HostIP
	}
	return netip.IPv4Unspecified()
}

// unpublishSlirp asks slirp4netns not to forward a port any more.
func unpublishSlirp(socket string, p Port) error {
	var list struct {
		Entries []struct {
			ID    int
			Proto string
			Host  netip.Addr `json:"host_addr"`
			Port  uint16     `json:"host_port"`
		}
	}
	err := ask(socket, object{"execute": "list_hostfwd"}, &list)
	for _, e := range list.Entries {
		if err == nil && e.Proto == p.Protocol && e.Port == p.Host && e.Host == p.slirpHost() {
			err = ask(socket, object{"execute": "remove_hostfwd", "arguments": object{"id": e.ID}}, &struct{}{})
		}
	}
	if err != nil {
		return fmt.Errorf("withdrawing port %s: %w", p, err)
	}
	return nil
}

// ask sends one question to a socket, whose path may be long, and reads the
// answer.
func ask(socket string, question, answer any) error {
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		return err
	}
	defer dir.Close()
	conn, err := net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket)))
	if err != nil {
		return cause(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(slirpPatience))
	if err := json.NewEncoder(conn).Encode(question); err != nil {
		return cause(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return cause(err)
	}
	return json.NewDecoder(io.LimitReader(conn, 64<<10)).Decode(answer)
}
