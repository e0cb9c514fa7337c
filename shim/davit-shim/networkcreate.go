package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/network"
)

// networking has the flags of davit-shim network create.
type networking struct {
	driver            string
	subnets, gateways []string
	internal          bool
	labels, options   []string
}

// networkCreateCommand is davit-shim network create.
func (p *program) networkCreateCommand() *cobra.Command {
	var n networking
	cmd := &cobra.Command{
		Use:   "create NETWORK",
		Short: "make a network",
		Long: `Makes a network with a bridge of its own, and prints its ID. Without --subnet it
gets a free one of IPv4; for IPv6, give --subnet twice. Nothing of the host is
changed until a container comes.`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.networkCreate(n, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&n.driver, "driver", "d", "bridge", "the `KIND` of network: bridge")
	fs.StringArrayVar(&n.subnets, "subnet", nil, "take addresses from `PREFIX`, such as 10.9.0.0/24")
	fs.StringArrayVar(&n.gateways, "gateway", nil, "the host's `ADDRESS` in the subnet (default is its first)")
	fs.BoolVar(&n.internal, "internal", false, "no way out of the host")
	fs.StringArrayVar(&n.labels, "label", nil, "label it `NAME[=VALUE]`")
	fs.StringArrayVarP(&n.options, "opt", "o", nil, "set `mtu=N`")
	return cmd
}

func (p *program) networkCreate(n networking, ref string) error {
	o, err := n.wanted(ref)
	if err != nil {
		return fmt.Errorf("creating network %s: %w", ref, err)
	}
	s, err := p.networks()
	if err != nil {
		return err
	}
	made, err := s.Create(o)
	if err != nil {
		return networkError(ref, err)
	}
	p.note(networkEvent("create", made))
	_, err = fmt.Fprintln(p.out, made.ID)
	return err
}

// wanted is what the flags say.
func (n networking) wanted(ref string) (network.CreateOptions, error) {
	o := network.CreateOptions{Name: ref, Internal: n.internal, Labels: labels(n.labels)}
	if n.driver != "bridge" {
		return o, fmt.Errorf("--driver %q: it is bridge", n.driver)
	}
	if len(n.gateways) > 0 && len(n.subnets) == 0 {
		return o, errors.New("--gateway needs --subnet")
	}
	for _, text := range n.subnets {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return o, fmt.Errorf("--subnet %q: it is ADDRESS/BITS", text)
		}
		o.Subnets = append(o.Subnets, network.Subnet{Prefix: prefix})
	}
	for _, text := range n.gateways {
		if err := setGateway(o.Subnets, text); err != nil {
			return o, err
		}
	}
	return o, n.setOptions(&o)
}

// setGateway gives the subnet that an address is in its gateway.
func setGateway(subnets []network.Subnet, text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("--gateway %q: it is no address", text)
	}
	for i := range subnets {
		if subnets[i].Prefix.Contains(addr) {
			subnets[i].Gateway = addr
			return nil
		}
	}
	return fmt.Errorf("--gateway %s: it is in no --subnet", text)
}

// setOptions are those of --opt. Compat(moby): its long name of mtu.
func (n networking) setOptions(o *network.CreateOptions) (err error) {
	for _, text := range n.options {
		key, value, _ := strings.Cut(text, "=")
		if strings.TrimPrefix(key, "com.docker.network.driver.") != "mtu" {
			return fmt.Errorf("--opt %q: there is no option %q [there is mtu]", text, key)
		}
		if o.MTU, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("--opt %q: it is no number", text)
		}
	}
	return nil
}

// labels are those of --label; one without a value is empty.
func labels(list []string) map[string]string {
	if len(list) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		all[key] = value
	}
	return all
}
