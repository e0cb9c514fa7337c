package network

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what a container's network namespace is.
type Kind int

// The kinds. Only a container of kind Named is to be attached.
const (
	Named     Kind = iota // its own, attached to a network
	None                  // its own, with nothing but lo
	Host                  // the host's
	Container             // another container's
	User                  // its own, with pasta or slirp4netns
)

// Mode is what --network says.
type Mode struct {
	Kind Kind
	Name string // of a network, of a container as the user gave it, or of User's program; "" is any
}

// ParseMode reads none, host, bridge (or default, or nothing), container:ID,
// pasta, slirp4netns, private (either of the two) and the names of networks.
func ParseMode(word string) (Mode, error) {
	switch word {
	case "", "default", DefaultName:
		return Mode{Named, DefaultName}, nil
	case "none":
		return Mode{Kind: None}, nil
	case "host":
		return Mode{Kind: Host}, nil
	case "private":
		return Mode{Kind: User}, nil
	case pastaName, slirpName:
		return Mode{User, word}, nil
	}
	if other, ok := strings.CutPrefix(word, "container:"); ok {
		if err := checkName("container", other); err != nil {
			return Mode{}, fmt.Errorf("--network %s: %w", word, err)
		}
		return Mode{Container, other}, nil
	}
	if err := checkNetworkName(word); err != nil {
		return Mode{}, fmt.Errorf("--network %s: %w", word, err)
	}
	return Mode{Named, word}, nil
}

func checkNetworkName(name string) error {
	if slices.Contains(reserved, name) || name == pastaName || name == slirpName {
		return fmt.Errorf("network %q: the name has a meaning of its own", name)
	}
	return checkName("network", name)
}
