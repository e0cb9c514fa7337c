//go:build cgo && linux

package libseccomp

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/internal/filtertest"
)

// FuzzCompile: a profile either is refused, or gives a program that the kernel
// takes and that answers every call.
func FuzzCompile(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x01\x02\x01\x00\x01\x01\x02\x00\x03\x01\x05\x02\x00\x09"))
	f.Add([]byte(strings.Repeat("\x01\x01\x02\x01\x05\x02\x03\x04\x05\x06", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := filtertest.Profile(data)
		filter, err := Compile(p, seccomp.SkipUnknownNames)
		if err != nil || !seccomp.Enabled(p) {
			return
		}
		for _, arch := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, 0} {
			for _, number := range []uint32{0, 1, 59, 300, 1 << 20, 1<<30 + 5, 1<<32 - 1} {
				if _, err := filtertest.Run(filter.Program, filtertest.Call{Number: number, Arch: arch, Args: [6]uint64{1, 9, 1 << 40}}); err != nil {
					t.Fatalf("architecture %#x, call %#x: %v", arch, number, err)
				}
			}
		}
	})
}
