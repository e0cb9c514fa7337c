package vm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// qemu is the emulator's program.
const qemu = "qemu-system-x86_64"

// Our sockets among QEMU's descriptors.
const (
	portFile    = 3
	monitorFile = 4
)

// machine is QEMU's command line, but for the disk, the channels and memory that
// is a file.
func machine(i Image, memoryMiB int) []string {
	return []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-smp", "2", "-m", strconv.Itoa(memoryMiB),
		// Left out: what costs an emulator much in every page walk or system call.
		"-cpu", "max,-la57,-smap,-smep,-umip,-pku,-erms,-fsrm",
		"-kernel", filepath.Join(i.dir, "vmlinux"), "-initrd", filepath.Join(i.dir, "initrd"), "-append", kernelOptions(),
		"-device", "virtio-serial", "-device", "virtio-rng-pci",
		"-virtfs", "local,path=/,mount_tag=host,security_model=none,multidevs=remap",
	}
}

// channels are the ways to the agent and to QEMU itself, and the console's log.
func channels(console string) []string {
	return []string{
		"-chardev", "socket,id=agent,fd=" + strconv.Itoa(portFile), "-device", "virtserialport,chardev=agent",
		"-chardev", "socket,id=monitor,fd=" + strconv.Itoa(monitorFile), "-mon", "chardev=monitor,mode=control",
		"-serial", "file:" + console,
	}
}

// A fate is what becomes of what a guest writes.
type fate int

const (
	forgotten fate = iota
	kept
)

// disk is the guest's root file system.
func disk(file string, fate fate) []string {
	snapshot := "off"
	if fate == forgotten {
		snapshot = "on"
	}
	return []string{"-drive", "file=" + file + ",format=raw,if=virtio,cache=unsafe,snapshot=" + snapshot}
}

// memory makes a file the guest's memory.
func memory(file string, fate fate) []string {
	share := "off"
	if fate == kept {
		share = "on"
	}
	return []string{
		"-object", fmt.Sprintf("memory-backend-file,id=memory,size=%dM,mem-path=%s,share=%s", defaultMemoryMiB, file, share),
		"-machine", "memory-backend=memory",
	}
}

var errNoClock = errors.New("reading the processor's clock rate: /proc/cpuinfo has no bogomips")

// kernelOptions is the guest's kernel command line.
func kernelOptions() string {
	options := []string{
		"root=/dev/vda", "console=ttyS0", "quiet", "panic=-1",
		"systemd.unified_cgroup_hierarchy=1", "apparmor=1", "security=apparmor", "psi=1", "net.ifnames=0",
		// What costs an emulator time and protects nobody here.
		"mitigations=off", "nokaslr", "no5lvl", "init_on_alloc=0", "norandmaps", "audit=0", "cryptomgr.notests",
		"random.trust_cpu=on", "no_timer_check", "tsc=reliable",
	}
	// Measured by a busy emulator, the clock's rate can be wrong by far.
	if rate, err := clockRate(); err == nil {
		options = append(options, fmt.Sprintf("tsc_early_khz=%d", rate))
	}
	return strings.Join(options, " ")
}

// clockRate is the host's time stamp counter's, in kHz. The guest sees it.
func clockRate() (int, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(info) {
		name, value, _ := strings.Cut(string(line), ":")
		if strings.TrimSpace(name) == "bogomips" {
			bogomips, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int(bogomips * 500), err
		}
	}
	return 0, errNoClock
}

// socketPair returns two connected sockets.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "guest"), os.NewFile(uintptr(fds[1]), "host"), nil
}

// dieWithParent makes a program end with this one, however that ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
}
