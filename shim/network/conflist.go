package network

import (
	"encoding/json"
	"fmt"
)

// cniVersion is the newest that Debian's plugins speak.
const cniVersion = "1.0.0"

// object is one of JSON.
type object = map[string]any

// list is a network's configuration list, with what we know besides.
func (s *Store) list(n Network) ([]byte, error) {
	return encodeList(n, n, s.bridgePlugin(n))
}

// listFor is the list for one container: with the plugin that publishes ports
// only where there are any, for each plugin is a program to run.
func (s *Store) listFor(n Network, ports []Port) ([]byte, error) {
	if len(ports) == 0 {
		return encodeList(n, nil, s.bridgePlugin(n))
	}
	return encodeList(n, nil, s.bridgePlugin(n), portmapPlugin())
}

func portmapPlugin() object {
	return object{"type": "portmap", "snat": true, "capabilities": object{"portMappings": true}}
}

func encodeList(n Network, davit any, plugins ...object) ([]byte, error) {
	list := object{"cniVersion": cniVersion, "name": n.Name, "plugins": plugins}
	if davit != nil {
		list["davit"] = davit
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding network %s: %w", n.Name, err)
	}
	return append(data, '\n'), nil
}

func (s *Store) bridgePlugin(n Network) object {
	var ranges [][]object
	routes := []object{}
	for _, subnet := range n.Subnets {
		ranges = append(ranges, []object{{"subnet": subnet.Prefix, "gateway": subnet.Gateway}})
		if !n.Internal {
			routes = append(routes, object{"dst": defaultRoute(subnet)})
		}
	}
	bridge := object{
		"type": "bridge", "bridge": n.Bridge, "isGateway": true, "hairpinMode": true,
		"capabilities": object{"ips": true, "mac": true},
		"ipam":         object{"type": "host-local", "dataDir": s.path("ipam"), "ranges": ranges, "routes": routes},
	}
	if n.MTU > 0 {
		bridge["mtu"] = n.MTU
	}
	return bridge
}

func defaultRoute(s Subnet) string {
	if s.Prefix.Addr().Is4() {
		return "0.0.0.0/0"
	}
	return "::/0"
}
