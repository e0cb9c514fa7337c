package options

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// security is what --security-opt says. Docker once had a colon for the equals sign.
func (f *Flags) security(w *Wanted) error {
	for _, text := range f.securityOpts {
		name, value, _ := strings.Cut(text, "=")
		if !strings.Contains(text, "=") {
			name, value, _ = strings.Cut(text, ":")
		}
		if err := securityOption(w, name, value); err != nil {
			return fmt.Errorf("--security-opt %q: %w", text, err)
		}
	}
	return nil
}

func securityOption(w *Wanted, name, value string) (err error) {
	switch name {
	case "no-new-privileges":
		w.NoNewPrivileges = true
		if value != "" {
			w.NoNewPrivileges, err = strconv.ParseBool(value)
		}
		return err
	case "seccomp":
		return seccompOption(w, value)
	case "apparmor":
		if value != "unconfined" || appArmor() {
			w.ApparmorProfile = value
		}
		return nil
	case "label":
		return labelOption(w, value)
	case "systempaths":
		w.Unmasked = value == "unconfined"
		if !w.Unmasked {
			return fmt.Errorf("it is unconfined")
		}
		return nil
	}
	return fmt.Errorf("no such option [it is no-new-privileges, seccomp, apparmor, label or systempaths]")
}

// seccompOption is a profile's file, unconfined, or builtin.
func seccompOption(w *Wanted, value string) (err error) {
	switch value {
	case "unconfined":
		w.Seccomp.Unconfined = true
	case "builtin", "default":
	default:
		w.Seccomp.Profile, err = os.ReadFile(value)
	}
	return err
}

// appArmor tells whether this machine has AppArmor.
// Compat(moby): where it has not, everything is unconfined already.
func appArmor() bool {
	text, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(text), "Y")
}

// labelOption is a label of SELinux, USER:ROLE:TYPE:LEVEL, or disable.
func labelOption(w *Wanted, value string) error {
	switch {
	case value == "disable":
		w.SelinuxLabel = ""
	case strings.Count(value, ":") >= 3:
		w.SelinuxLabel = value
	default:
		return fmt.Errorf("it is disable, or a whole label, USER:ROLE:TYPE:LEVEL")
	}
	return nil
}
