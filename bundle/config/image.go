package config

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// annotations tell where the container comes from, under the keys that the image
// specification has for it, and then what the options say. The image's labels are
// none: a runtime acts on some annotations, and whoever made the image would
// choose what it does.
// CVE-2026-53488: labels reached runtimes and plugins.
// Source: image-spec, conversion.md.
func (m *maker) annotations() error {
	const prefix = "org.opencontainers.image."
	i := m.image
	for key, value := range map[string]string{
		"os": i.OS, "architecture": i.Architecture, "variant": i.Variant, "author": i.Author,
		"os.version": i.OSVersion, "os.features": strings.Join(i.OSFeatures, ","),
		"exposedPorts": strings.Join(slices.Sorted(maps.Keys(i.Config.ExposedPorts)), ","),
	} {
		if value != "" {
			m.gen.AddAnnotation(prefix+key, value)
		}
	}
	if !i.Created.IsZero() {
		m.gen.AddAnnotation(prefix+"created", i.Created.UTC().Format(time.RFC3339Nano))
	}
	signal, err := m.stopSignal()
	if err != nil {
		return err
	}
	m.gen.AddAnnotation(prefix+"stopSignal", signal)
	for key, value := range m.o.Annotations {
		if key == "" {
			return fmt.Errorf("annotation %q: it has no name", "="+value)
		}
		m.gen.AddAnnotation(key, value)
	}
	return nil
}

// stopSignal is what asks the process to end.
func (m *maker) stopSignal() (string, error) {
	for _, name := range []string{m.o.StopSignal, m.image.Config.StopSignal} {
		if name != "" {
			return signalName(name)
		}
	}
	return "SIGTERM", nil
}

// Source: signal(7), SIGRTMIN and SIGRTMAX of C libraries.
const firstRealtime, lastRealtime = 34, 64

// signalName is a signal by its full name: "15", "TERM" and "sigterm" are
// SIGTERM. One for real-time programs has no name, and is a number.
func signalName(text string) (string, error) {
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if unix.SignalNum(name) != 0 {
		return name, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		number = realtime(name)
	}
	if name := unix.SignalName(unix.Signal(number)); name != "" {
		return name, nil
	}
	if number < firstRealtime || number > lastRealtime {
		return "", fmt.Errorf("stop signal %q: there is no such signal", text)
	}
	return strconv.Itoa(number), nil
}

// realtime is the number of SIGRTMIN, SIGRTMIN+N, SIGRTMAX or SIGRTMAX-N; 0 for
// any other name.
func realtime(name string) int {
	for sign, from := range map[string]int{"SIGRTMIN+": firstRealtime, "SIGRTMAX-": lastRealtime} {
		if name == sign[:len(sign)-1] {
			return from
		}
		rest, ok := strings.CutPrefix(name, sign)
		if n, err := strconv.ParseUint(rest, 10, 8); ok && err == nil {
			if sign == "SIGRTMAX-" {
				return from - int(n)
			}
			return from + int(n)
		}
	}
	return 0
}

// volumes are the image's, without those on which something is mounted.
func (m *maker) volumes() ([]string, error) {
	var volumes []string
	for _, dir := range slices.Sorted(maps.Keys(m.image.Config.Volumes)) {
		if strings.ContainsRune(dir, 0) {
			return nil, fmt.Errorf("the image's volume %q: it has a NUL byte", dir)
		}
		clean := path.Join("/", dir)
		covered := slices.ContainsFunc(m.gen.Config.Mounts, func(x specs.Mount) bool { return x.Destination == clean })
		if clean != "/" && !covered && !slices.Contains(volumes, clean) {
			volumes = append(volumes, clean)
		}
	}
	return volumes, nil
}
