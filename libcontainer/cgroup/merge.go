package cgroup

import (
	"maps"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// merge returns the limits that are in force when a change of old has been
// made. Neither is altered. Device rules are old's.
func merge(old, change *specs.LinuxResources) *specs.LinuxResources {
	to := value(old)
	to.Memory = mergeMemory(old.Memory, change.Memory)
	to.CPU = mergeCPU(old.CPU, change.CPU)
	to.BlockIO = mergeBlockIO(old.BlockIO, change.BlockIO)
	to.Network = mergeNetwork(old.Network, change.Network)
	if change.Pids != nil && change.Pids.Limit != nil {
		to.Pids = &specs.LinuxPids{Limit: change.Pids.Limit}
	}
	to.HugepageLimits = upsert(old.HugepageLimits, change.HugepageLimits, func(l specs.LinuxHugepageLimit) string { return l.Pagesize })
	to.Rdma = mergeMap(old.Rdma, change.Rdma)
	to.Unified = mergeMap(old.Unified, change.Unified)
	maps.DeleteFunc(to.Unified, func(file, _ string) bool {
		_, kept := change.Unified[file]
		return !kept && sets(change, fieldOfFile(file))
	})
	return &to
}

// sets reports whether r has a value for a field that [fieldOfFile] names.
func sets(r *specs.LinuxResources, name string) bool {
	limits, _, err := convert(&specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{
		Memory: r.Memory, CPU: r.CPU, BlockIO: r.BlockIO, Pids: r.Pids, HugepageLimits: r.HugepageLimits,
	}}}, v1)
	if err != nil {
		return false
	}
	for _, f := range fields(limits) {
		if f.set && (f.name == name || name == "cpu.quota" && f.name == "cpu.period") {
			return true
		}
	}
	return false
}

// mergeMemory: a limit taken away takes that of memory and swap together with it.
func mergeMemory(old, change *specs.LinuxMemory) *specs.LinuxMemory {
	if change == nil {
		return old
	}
	to := value(old)
	if value(change.Limit) == -1 {
		to.Swap = nil
	}
	setNumber(&to.Limit, change.Limit)
	setNumber(&to.Swap, change.Swap)
	setNumber(&to.Reservation, change.Reservation)
	set(&to.Swappiness, change.Swappiness)
	set(&to.DisableOOMKiller, change.DisableOOMKiller)
	return &to
}

func mergeCPU(old, change *specs.LinuxCPU) *specs.LinuxCPU {
	if change == nil {
		return old
	}
	to := value(old)
	setNumber(&to.Shares, change.Shares)
	setNumber(&to.Quota, change.Quota)
	setNumber(&to.Period, change.Period)
	set(&to.Burst, change.Burst)
	setNumber(&to.RealtimeRuntime, change.RealtimeRuntime)
	setNumber(&to.RealtimePeriod, change.RealtimePeriod)
	set(&to.Idle, change.Idle)
	if change.Cpus != "" {
		to.Cpus = change.Cpus
	}
	if change.Mems != "" {
		to.Mems = change.Mems
	}
	return &to
}

func mergeBlockIO(old, change *specs.LinuxBlockIO) *specs.LinuxBlockIO {
	if change == nil {
		return old
	}
	to := value(old)
	setNumber(&to.Weight, change.Weight)
	setNumber(&to.LeafWeight, change.LeafWeight)
	to.WeightDevice = upsert(to.WeightDevice, wholeWeights(to.WeightDevice, change.WeightDevice), ofWeight)
	to.ThrottleReadBpsDevice = upsert(to.ThrottleReadBpsDevice, change.ThrottleReadBpsDevice, ofThrottle)
	to.ThrottleWriteBpsDevice = upsert(to.ThrottleWriteBpsDevice, change.ThrottleWriteBpsDevice, ofThrottle)
	to.ThrottleReadIOPSDevice = upsert(to.ThrottleReadIOPSDevice, change.ThrottleReadIOPSDevice, ofThrottle)
	to.ThrottleWriteIOPSDevice = upsert(to.ThrottleWriteIOPSDevice, change.ThrottleWriteIOPSDevice, ofThrottle)
	return &to
}

// device is a block device's number.
type device struct{ major, minor int64 }

func ofWeight(w specs.LinuxWeightDevice) device     { return device{w.Major, w.Minor} }
func ofThrottle(t specs.LinuxThrottleDevice) device { return device{t.Major, t.Minor} }

// wholeWeights completes a change of a device's two weights, which may name
// one of them.
func wholeWeights(old, change []specs.LinuxWeightDevice) []specs.LinuxWeightDevice {
	whole := slices.Clone(change)
	for i := range whole {
		for _, before := range slices.Backward(old) {
			if ofWeight(before) == ofWeight(whole[i]) {
				setNumber(&before.Weight, whole[i].Weight)
				setNumber(&before.LeafWeight, whole[i].LeafWeight)
				whole[i] = before
				break
			}
		}
	}
	return whole
}

func mergeNetwork(old, change *specs.LinuxNetwork) *specs.LinuxNetwork {
	if change == nil {
		return old
	}
	to := value(old)
	set(&to.ClassID, change.ClassID)
	to.Priorities = upsert(to.Priorities, change.Priorities, func(p specs.LinuxInterfacePriority) string { return p.Name })
	return &to
}

// set takes a changed value over, if there is one.
func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// setNumber takes a changed number over, unless it is 0, which is not written.
func setNumber[T int64 | uint64 | uint16](to **T, from *T) {
	if value(from) != 0 {
		*to = from
	}
}

// upsert replaces the elements of old that change has too, and adds the others.
func upsert[T any, K comparable](old, change []T, key func(T) K) []T {
	if len(change) == 0 {
		return old
	}
	changed := make(map[K]bool, len(change))
	for _, c := range change {
		changed[key(c)] = true
	}
	kept := slices.DeleteFunc(slices.Clone(old), func(o T) bool { return changed[key(o)] })
	return append(kept, change...)
}

// mergeMap is old with the entries of change.
func mergeMap[V any](old, change map[string]V) map[string]V {
	if len(change) == 0 {
		return maps.Clone(old)
	}
	to := maps.Clone(old)
	if to == nil {
		to = make(map[string]V, len(change))
	}
	maps.Copy(to, change)
	return to
}
