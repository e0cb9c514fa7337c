// Command probe makes system calls that the default seccomp profile refuses and
// allows, and prints what becomes of each.
package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

func main() {
	say := func(what string, errno syscall.Errno) { fmt.Printf("%s: %d\n", what, int(errno)) }
	for name, family := range map[string]int{"inet": syscall.AF_INET, "unix": syscall.AF_UNIX, "alg": 38, "vsock": 40} {
		fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, 0)
		if family == 38 {
			fd, err = syscall.Socket(family, syscall.SOCK_SEQPACKET, 0)
		}
		errno, _ := err.(syscall.Errno)
		say("socket "+name, errno)
		_ = syscall.Close(fd)
	}
	var params [120]byte
	_, _, errno := syscall.RawSyscall(425, 1, uintptr(unsafe.Pointer(&params)), 0) // io_uring_setup(2)
	say("io_uring_setup", errno)
	_, _, errno = syscall.RawSyscall(435, 0, 0, 0) // clone3(2)
	say("clone3", errno)
	_, _, errno = syscall.RawSyscall(syscall.SYS_UNSHARE, 0x10000000, 0, 0) // CLONE_NEWUSER
	say("unshare", errno)
}
