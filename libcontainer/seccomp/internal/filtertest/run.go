// Package filtertest is for the tests of package seccomp and those below it:
// it runs a filter's program as the kernel would, so that tests can ask about
// every architecture and system call without loading it, and it makes profiles
// of arbitrary bytes, for fuzzing. Nothing else imports it.
package filtertest

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Call is a system call as a filter sees it (struct seccomp_data).
type Call struct {
	Number uint32
	Arch   uint32 // AUDIT_ARCH_*
	Args   [6]uint64
}

// word reads 32 bits of the structure in little-endian order, which is that of
// all machines that the tests run on.
func (c Call) word(offset uint32) (uint32, error) {
	switch {
	case offset == 0:
		return c.Number, nil
	case offset == 4:
		return c.Arch, nil
	case offset >= 16 && offset < 64 && offset%4 == 0:
		return uint32(c.Args[(offset-16)/8] >> (offset % 8 * 8)), nil
	}
	return 0, fmt.Errorf("load at offset %d", offset)
}

// Run gives what the program returns for a call: a SECCOMP_RET_*.
func Run(program []byte, call Call) (uint32, error) {
	var acc uint32
	for pc := 0; pc*8+8 <= len(program); pc++ {
		in := program[pc*8:]
		code, k := binary.NativeEndian.Uint16(in), binary.NativeEndian.Uint32(in[4:])
		var err error
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc, err = call.word(k)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= k
		case unix.BPF_RET | unix.BPF_K:
			return k, nil
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
		default:
			var yes bool
			if yes, err = compare(code, acc, k); yes {
				pc += int(in[2])
			} else {
				pc += int(in[3])
			}
		}
		if err != nil {
			return 0, fmt.Errorf("instruction %d: %w", pc, err)
		}
	}
	return 0, fmt.Errorf("ran over the program's end")
}

// compare decides a conditional jump.
func compare(code uint16, acc, k uint32) (bool, error) {
	switch code {
	case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
		return acc == k, nil
	case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
		return acc > k, nil
	case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
		return acc >= k, nil
	case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
		return acc&k != 0, nil
	}
	return false, fmt.Errorf("unknown instruction %#x", code)
}
