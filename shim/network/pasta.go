package network

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// pastaDNS is the address at which pasta answers for the host's DNS servers.
var pastaDNS = netip.AddrFrom4([4]byte{169, 254, 1, 1})

// startPasta starts pasta, which goes into the background once the network is
// there.
func (s *Store) startPasta(ctx context.Context, path string, r UserRequest, ports []Port) (pid int, err error) {
	pidFile := s.mark(r.Container) + ".pid"
	args := []string{"--config-net", "--quiet", "--no-map-gw", "--pid", pidFile, "--dns-forward", pastaDNS.String()}
	forwards, err := pastaPorts(ports)
	if err != nil {
		return 0, err
	}
	args = append(append(args, forwards...), pastaNamespaces(r)...)
	cmd, log, err := s.command(path, r.Container, args...)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	if err := cmd.Run(); err != nil {
		return 0, complaint(pastaName, log, err)
	}
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, fmt.Errorf("running pasta: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// pastaNamespaces are pasta's options for where it makes the network.
func pastaNamespaces(r UserRequest) []string {
	if r.UserNamespace == "" {
		return []string{"--netns-only", "--netns", r.Namespace}
	}
	return []string{"--userns", r.UserNamespace, "--netns", r.Namespace}
}

// pastaPorts are pasta's options for ports. Without them it publishes what the
// container listens on.
func pastaPorts(ports []Port) ([]string, error) {
	specs := map[string][]string{}
	for _, p := range ports {
		if p.Protocol != "tcp" && p.Protocol != "udp" {
			return nil, fmt.Errorf("publishing port %s: pasta forwards tcp and udp", p)
		}
		spec := fmt.Sprintf("%d:%d", p.Host, p.Container)
		if p.HostIP.IsValid() {
			spec = p.HostIP.String() + "/" + spec
		}
		specs[p.Protocol] = append(specs[p.Protocol], spec)
	}
	args := []string{"-T", "none", "-U", "none"}
	for flag, protocol := range map[string]string{"-t": "tcp", "-u": "udp"} {
		if len(specs[protocol]) == 0 {
			args = append(args, flag, "none")
		}
		for _, spec := range specs[protocol] {
			args = append(args, flag, spec)
		}
	}
	return args, nil
}
