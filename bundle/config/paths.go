package config

import "fmt"

// maskedPaths are files of the kernel's that tell of the host, or reach it.
// Compat(moby): its default.
// GHSA-7ww5-4wqc-m92c: powercap tells what the processor does, to the joule.
var maskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
}

// readonlyPaths are files of the kernel's that a container may read and not write.
// Compat(moby): its default.
var readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// throttle is a directory of each processor's.
const throttle = "/sys/devices/system/cpu/cpu%d/thermal_throttle"

// paths masks files of the kernel's.
func (m *maker) paths() error {
	if m.o.Privileged || m.o.Unmasked {
		return nil
	}
	for _, path := range maskedPaths {
		m.gen.AddLinuxMaskedPaths(path)
	}
	for cpu := range m.facts.CPUs {
		m.gen.AddLinuxMaskedPaths(fmt.Sprintf(throttle, cpu))
	}
	for _, path := range readonlyPaths {
		m.gen.AddLinuxReadonlyPaths(path)
	}
	return nil
}
