package main

import (
	"fmt"
	"strings"
)

// parseSubCgroups reads the values of exec --cgroup: one path, or paths by
// controller for cgroup v1, "CONTROLLER[,CONTROLLER...]:PATH".
// Compat(runc): the texts of its errors.
func parseSubCgroups(values []string) (map[string]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	paths := make(map[string]string, len(values))
	for _, value := range values {
		controllers, path, found := strings.Cut(value, ":")
		if !found {
			if len(values) > 1 {
				return nil, fmt.Errorf("invalid --cgroup argument: %s (missing <controller>: prefix)", value)
			}
			return map[string]string{"": value}, nil
		}
		for controller := range strings.SplitSeq(controllers, ",") {
			if controller == "" {
				return nil, fmt.Errorf("invalid --cgroup argument: %s (empty <controller> prefix)", value)
			}
			if _, twice := paths[controller]; twice {
				return nil, fmt.Errorf("invalid --cgroup argument(s): controller %s specified multiple times", controller)
			}
			paths[controller] = path
		}
	}
	return paths, nil
}
