package network

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// family is one of the two programs that keep the kernel's packet filter.
type family struct {
	program string // iptables or ip6tables
	v4      bool
}

func families(n Network) []family {
	var all []family
	for _, s := range n.Subnets {
		if s.Prefix.Addr().Is4() {
			all = append(all, family{"iptables", true})
		} else {
			all = append(all, family{"ip6tables", false})
		}
	}
	return all
}

// chain is the name of a network's chain, in the tables nat and filter.
func (n Network) chain() string {
	return strings.ToUpper(bridgePrefix) + "-" + strings.TrimPrefix(n.Bridge, bridgePrefix)
}

// rules are a network's, as iptables-restore reads them: a chain that is named
// is emptied first, all others stay, and all of a table is done at once.
func rules(n Network, v4 bool) string {
	var b strings.Builder
	chain := n.chain()
	rule := func(format string, args ...any) {
		fmt.Fprintf(&b, "-A %s %s\n", chain, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "*nat\n:%s - [0:0]\n", chain)
	for _, s := range n.Subnets {
		if s.Prefix.Addr().Is4() == v4 && !n.Internal {
			rule("-s %s ! -o %s -j MASQUERADE", s.Prefix, n.Bridge)
		}
	}
	fmt.Fprintf(&b, "COMMIT\n*filter\n:%s - [0:0]\n", chain)
	rule("-i %[1]s -o %[1]s -j ACCEPT", n.Bridge)
	if n.Internal {
		rule("-i %s -j DROP", n.Bridge)
		rule("-o %s -j DROP", n.Bridge)
	} else {
		// What comes in is an answer, or for a published port. What goes to
		// another network of ours is for that one's chain to judge.
		rule("-o %s -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT", n.Bridge)
		rule("-o %s -j DROP", n.Bridge)
		rule("-i %s ! -o %s+ -j ACCEPT", n.Bridge, bridgePrefix)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// jumps are where the kernel's own chains lead to a network's.
func jumps(n Network) [][]string {
	return [][]string{
		{"nat", "POSTROUTING", "-j", n.chain()},
		{"filter", "FORWARD", "-j", n.chain()},
	}
}

// setRules makes a network's rules, or makes them anew where somebody flushed a
// table. The jumps come last: with them everything is there.
func setRules(n Network) error {
	for _, f := range families(n) {
		missing := f.missing(jumps(n))
		if len(missing) == 0 {
			continue
		}
		if err := f.restore(rules(n, f.v4)); err != nil {
			return err
		}
		for _, j := range missing {
			if err := f.run(append([]string{"-t", j[0], "-I"}, j[1:]...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasRules says whether there is nothing for setRules to do.
func hasRules(n Network) bool {
	for _, f := range families(n) {
		if len(f.missing(jumps(n))) > 0 {
			return false
		}
	}
	return true
}

// missing are the jumps that are not there.
func (f family) missing(jumps [][]string) (missing [][]string) {
	for _, j := range jumps {
		if f.run(append([]string{"-t", j[0], "-C"}, j[1:]...)...) != nil {
			missing = append(missing, j)
		}
	}
	return missing
}

// removeRules removes what setRules made, as far as it is there. Where iptables
// is missing, nothing can be.
func removeRules(n Network) error {
	for _, f := range families(n) {
		if _, err := lookPath(f.program); err != nil {
			continue
		}
		for _, j := range jumps(n) {
			for f.run(append([]string{"-t", j[0], "-D"}, j[1:]...)...) == nil {
			}
			if f.run("-t", j[0], "-F", n.chain()) != nil {
				continue // there is no such chain
			}
			if err := f.run("-t", j[0], "-X", n.chain()); err != nil {
				return err
			}
		}
	}
	return nil
}

// need says that the program is missing, and what for.
func (f family) need() error {
	if _, err := lookPath(f.program); err != nil {
		return fmt.Errorf("%s is not on the PATH: it is what leads a network's packets out of the host and publishes ports (is iptables installed?)", f.program)
	}
	return nil
}

// run runs the program; it waits for others that do.
func (f family) run(args ...string) error {
	return f.exec(f.program, "", append([]string{"--wait"}, args...)...)
}

func (f family) restore(input string) error {
	return f.exec(f.program+"-restore", input, "--wait", "--noflush")
}

func (f family) exec(program, input string, args ...string) error {
	path, err := lookPath(program)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = []string{"PATH=" + searchPath(), "LC_ALL=C"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		var status *exec.ExitError
		if text := strings.Join(strings.Fields(stderr.String()), " "); errors.As(err, &status) && text != "" {
			err = errors.New(text)
		}
		return fmt.Errorf("running %s: %w", program, err)
	}
	return nil
}
