package cgroup

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"
)

// loadAttempts bounds how often a program is loaded again after a signal has
// interrupted the verifier.
const loadAttempts = 30

// maxPrograms is the most that the kernel attaches to one cgroup.
const maxPrograms = 64

// bpf calls bpf(2). What the attributes point to must stay alive, which is the
// caller's care.
func bpf(command int, attributes unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attributes), size)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// loadFilter loads a device filter and returns its descriptor.
func loadFilter(code []instruction) (int, error) {
	program := encode(code)
	license := []byte("Apache\x00")
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&program[0])
	pins.Pin(&license[0])
	attributes := struct {
		kind, count      uint32
		program, license uint64
		logLevel, logLen uint32
		log              uint64
		version, flags   uint32
		name             [unix.BPF_OBJ_NAME_LEN]byte
	}{
		kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(code)),
		program: uint64(uintptr(unsafe.Pointer(&program[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	copy(attributes.name[:], "davit_devices")
	for attempt := 1; ; attempt++ {
		fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attributes), unsafe.Sizeof(attributes))
		if err == unix.EAGAIN && attempt < loadAttempts {
			continue
		}
		return fd, err
	}
}

// attachFilter adds a program to the cgroup dir, in the place of another one
// if replaced is not negative. dir may be opened with O_PATH.
func attachFilter(dir, program, replaced int) error {
	attributes := struct {
		target, program, kind, flags, replaced uint32
	}{uint32(dir), uint32(program), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI, 0}
	if replaced >= 0 {
		attributes.flags |= unix.BPF_F_REPLACE
		attributes.replaced = uint32(replaced)
	}
	_, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attributes), unsafe.Sizeof(attributes))
	return err
}

// detachFilter takes a program from the cgroup dir.
func detachFilter(dir, program int) error {
	attributes := struct{ target, program, kind uint32 }{uint32(dir), uint32(program), unix.BPF_CGROUP_DEVICE}
	_, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attributes), unsafe.Sizeof(attributes))
	return err
}

// attachedFilters returns descriptors of the device filters of the cgroup dir
// itself. One that may not be opened is left out: it can only deny more.
func attachedFilters(dir int) ([]int, error) {
	ids := make([]uint32, maxPrograms)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&ids[0])
	// Linux 6.17 writes the last field whatever size it is told.
	attributes := struct {
		target, kind, query, attach uint32
		ids                         uint64
		count, _                    uint32
		_, _, _                     uint64
		revision                    uint64
	}{target: uint32(dir), kind: unix.BPF_CGROUP_DEVICE, ids: uint64(uintptr(unsafe.Pointer(&ids[0]))), count: maxPrograms}
	if _, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attributes), unsafe.Sizeof(attributes)); err != nil {
		return nil, err
	}
	var programs []int
	for _, id := range ids[:min(attributes.count, maxPrograms)] {
		by := struct{ id uint32 }{id}
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&by), unsafe.Sizeof(by))
		if err == nil {
			programs = append(programs, fd)
		} else if err != unix.EPERM && err != unix.EACCES && err != unix.ENOENT {
			closeAll(programs)
			return nil, err
		}
	}
	return programs, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// confineFresh makes the filter for a policy the device filter of a cgroup that
// is known to have none.
func confineFresh(dir int, policy *devicePolicy) error {
	if policy.allowsAll() {
		return nil
	}
	return confineFrom(dir, policy, nil)
}

// confine makes the filter for a policy the only device filter of a cgroup.
func confine(dir int, policy *devicePolicy) error {
	old, err := attachedFilters(dir)
	if err != nil {
		return fmt.Errorf("finding the cgroup's device filters: %w", err)
	}
	defer closeAll(old)
	return confineFrom(dir, policy, old)
}

// confineFrom loads the filter for a policy and attaches it for the old ones.
func confineFrom(dir int, policy *devicePolicy, old []int) error {
	code, err := policy.compile()
	if err != nil {
		return err
	}
	program, err := loadFilter(code)
	if err != nil {
		return fmt.Errorf("loading the device filter: %w", err)
	}
	defer unix.Close(program)
	return replaceFilters(dir, program, old)
}

// replaceFilters attaches program for the old ones, so that there is no moment
// without a filter.
//
// Linux 5.6: BPF_F_REPLACE.
func replaceFilters(dir, program int, old []int) error {
	if len(old) == 1 {
		if err := attachFilter(dir, program, old[0]); err != nil {
			return fmt.Errorf("replacing the device filter: %w", err)
		}
		return nil
	}
	if err := attachFilter(dir, program, -1); err != nil {
		return fmt.Errorf("attaching the device filter: %w", err)
	}
	for _, fd := range old {
		if err := detachFilter(dir, fd); err != nil {
			return fmt.Errorf("detaching a device filter: %w", err)
		}
	}
	return nil
}

// devicesHint names the field that asks for a filter, and what it takes where
// that is refused, as a container's seccomp filter does.
func devicesHint(err error) string {
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return "linux.resources.devices needs bpf(2), which is refused here"
	}
	return "linux.resources.devices"
}

// mayGoUnfiltered reports whether a container may start though its filter
// could not be loaded: bpf(2) is not for user namespaces, in which no device
// node can be made or used against the owner's rights anyway; and a policy
// that allows everything needs no filter.
func mayGoUnfiltered(err error, policy *devicePolicy) bool {
	if policy.allowsAll() {
		return true
	}
	return (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS)) && userns.RunningInUserNS()
}
