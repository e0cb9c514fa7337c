package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// An Update is a change of a container's limits that is about to be made.
type Update struct {
	manager  *Manager
	merged   *specs.LinuxResources
	limits   *cgroups.Resources // what is written
	killer   bool               // the OOM killer is to work again
	warnings []string
}

// PrepareUpdate decides what a change of the limits old writes, and writes
// nothing: what change sets, and what the kernel or systemd must be told
// together with it. It refuses what this machine's cgroup version cannot
// express. Either may be nil. Device rules are not changed: a device plugin may
// have added some that no configuration knows of.
//
// Spec: config-linux.md#control-groups
func (m *Manager) PrepareUpdate(old, change *specs.LinuxResources) (*Update, error) {
	if !m.Exists() {
		return nil, fmt.Errorf("changing limits: %w", errNoCgroup)
	}
	original, before := value(change), value(old)
	u := &Update{manager: m}
	u.warnDevices(&before, &original)
	changed := u.settleIdle(&before, &original)
	u.merged = merge(&before, changed)
	v := v1
	if m.saved.Unified {
		v = v2
	}
	limits, ignored, err := convert(&specs.Spec{Linux: &specs.Linux{Resources: whole(&before, changed)}}, v)
	if err != nil {
		return nil, err
	}
	limits.Devices, limits.SkipDevices = nil, true
	u.limits, u.warnings = limits, append(u.warnings, ignored...)
	disable := value(original.Memory).DisableOOMKiller
	u.killer = disable != nil && !*disable
	return u, checkControllers(limits, m.saved)
}

// Warnings returns what has no effect, one line each, for the caller's log.
func (u *Update) Warnings() []string { return u.warnings }

// Resources returns all limits that are in force after the update.
func (u *Update) Resources() *specs.LinuxResources { return u.merged }

// Apply writes the changed limits. If one cannot be written, those written
// before are set back to what they were.
func (u *Update) Apply() error {
	saved := u.manager.saved
	before := takeSnapshot(saved, u.limits)
	err := u.endIdle()
	if err == nil {
		err = u.enableKiller()
	}
	if err == nil {
		err = u.manager.backend.set(u.limits)
	}
	if err == nil {
		return nil
	}
	if undo := before.restore(); undo != nil {
		return fmt.Errorf("%w; and setting back what was changed: %w", err, undo)
	}
	return err
}

// warnDevices tells of rules that are not as they were.
func (u *Update) warnDevices(old, change *specs.LinuxResources) {
	if len(change.Devices) > 0 && !reflect.DeepEqual(old.Devices, change.Devices) {
		u.warnings = append(u.warnings, "linux.resources.devices is ignored: an update does not change device rules")
	}
}

// whole completes a change by those of the old values that are written in one
// with it, or that decide what it means.
func whole(old, change *specs.LinuxResources) *specs.LinuxResources {
	to := *change
	to.Devices = nil
	if change.Memory != nil {
		to.Memory = wholeMemory(value(old.Memory), *change.Memory)
	}
	if change.CPU != nil {
		to.CPU = wholeCPU(value(old.CPU), *change.CPU)
	}
	if change.BlockIO != nil {
		blockIO := *change.BlockIO
		blockIO.WeightDevice = wholeWeights(value(old.BlockIO).WeightDevice, blockIO.WeightDevice)
		to.BlockIO = &blockIO
	}
	return &to
}

// wholeMemory: the limit of memory and swap together stands for one of swap
// alone on v2.
func wholeMemory(old, change specs.LinuxMemory) *specs.LinuxMemory {
	switch {
	case change.Limit == nil && change.Swap != nil:
		change.Limit = old.Limit
	case change.Swap == nil && value(change.Limit) > 0:
		change.Swap = old.Swap
	}
	return &change
}

// wholeCPU: on v2 quota and period are one value, and realtime values are
// checked against each other.
func wholeCPU(old, change specs.LinuxCPU) *specs.LinuxCPU {
	if value(change.Quota) != 0 && value(change.Period) == 0 {
		change.Period = old.Period
	}
	if value(change.Period) != 0 && value(change.Quota) == 0 {
		change.Quota = old.Quota
	}
	if value(change.RealtimeRuntime) != 0 && value(change.RealtimePeriod) == 0 {
		change.RealtimePeriod = old.RealtimePeriod
	}
	if value(change.RealtimePeriod) != 0 && value(change.RealtimeRuntime) == 0 {
		change.RealtimeRuntime = old.RealtimeRuntime
	}
	return &change
}

// defaultShares is the weight of a cgroup for which none was asked.
const defaultShares = 1024

// settleIdle resolves what a cgroup cannot be at once: idle, and of a certain
// weight. Of both, idle counts; a weight alone ends it, as it does for systemd;
// and where idle ends, the weight that was before comes back, which the
// kernel forgets.
//
// systemd 252: CPUWeight=idle.
func (u *Update) settleIdle(old, change *specs.LinuxResources) *specs.LinuxResources {
	to, cpu := *change, value(change.CPU)
	to.CPU = &cpu
	to.Unified = mergeMap(change.Unified, nil)
	weight := value(cpu.Shares) != 0 || to.Unified["cpu.weight"] != ""
	idle, asked := askedIdle(change)
	switch {
	case idle && weight:
		cpu.Shares = nil
		delete(to.Unified, "cpu.weight")
		// Compat(runc): its integration tests look for "unable to apply both".
		u.warnings = append(u.warnings, "unable to apply both cpu.weight and cpu.idle: the weight is ignored")
	case asked && idle || !u.isIdle():
	case weight && !asked:
		cpu.Idle = new(int64)
	case asked && !weight:
		if cpu.Shares = value(old.CPU).Shares; value(cpu.Shares) == 0 {
			shares := uint64(defaultShares)
			cpu.Shares = &shares
		}
	}
	return &to
}

// askedIdle returns what a change says of idle, and whether it does.
func askedIdle(change *specs.LinuxResources) (idle, asked bool) {
	if text, ok := change.Unified["cpu.idle"]; ok {
		return strings.TrimSpace(text) == "1", true
	}
	if change.CPU == nil || change.CPU.Idle == nil {
		return false, false
	}
	return *change.CPU.Idle == 1, true
}

// idleFile is the cgroup's cpu.idle, "" without a cpu controller.
func (u *Update) idleFile() string {
	dir := u.manager.saved.Paths["cpu"]
	if u.manager.saved.Unified {
		dir = u.manager.saved.Paths[""]
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "cpu.idle")
}

func (u *Update) isIdle() bool {
	text, err := readFile(u.idleFile())
	return err == nil && strings.TrimSpace(text) == "1"
}

// endIdle ends it before a weight is written, which is refused while it lasts.
func (u *Update) endIdle() error {
	if u.limits.CPUIdle == nil || *u.limits.CPUIdle != 0 || !u.isIdle() {
		return nil
	}
	return writeFile(u.idleFile(), "0")
}

// enableKiller writes what the library does not: it only disables the OOM
// killer, which v2 always has.
func (u *Update) enableKiller() error {
	dir := u.manager.saved.Paths["memory"]
	if !u.killer || dir == "" {
		return nil
	}
	file := dir + "/memory.oom_control"
	text, err := readFile(file)
	if err == nil && lookup(text, "oom_kill_disable") == "1" {
		err = writeFile(file, "0")
	}
	return err
}

// set writes r to the files of a v2 cgroup.
func (u *unified) set(r *cgroups.Resources) error {
	if err := u.write(r); err != nil {
		return limitError(u.path, r, err)
	}
	return nil
}

// set writes r to the files of a v1 cgroup.
func (l *legacy) set(r *cgroups.Resources) error {
	m, err := l.manager()
	if err != nil {
		return err
	}
	if err := m.Set(r); err != nil {
		return limitError(l.saved.principal(), r, err)
	}
	return nil
}

// set writes r to the cgroup's files before it tells systemd: what the kernel
// refuses does not become the unit's. systemd takes all properties or none.
func (u *unit) set(r *cgroups.Resources) error {
	files, err := newBackend(Saved{Driver: Cgroupfs, Unified: u.saved.Unified, Rootless: u.saved.Rootless, Paths: u.saved.Paths}, nil, nil)
	if err != nil {
		return err
	}
	if err := files.set(r); err != nil {
		return err
	}
	m, err := u.manager()
	if err != nil {
		return err
	}
	if err := m.Set(r); err != nil {
		return limitError(u.saved.principal(), r, err)
	}
	return nil
}

func (disabled) set(*cgroups.Resources) error { return errors.ErrUnsupported }
