package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// InstructionSize is the size of a struct sock_filter, in bytes.
const InstructionSize = 8

// MaxInstructions is the longest program that the kernel takes (BPF_MAXINSNS).
const MaxInstructions = 4096

// ErrEncoding means that bytes are not an encoded filter, or not the one asked
// for.
var ErrEncoding = errors.New("not a valid encoded seccomp filter")

// Filter is a compiled profile, ready for seccomp(2). The zero Filter is none.
type Filter struct {
	// Program is an array of struct sock_filter in host byte order.
	Program []byte
	// Flags are SECCOMP_FILTER_FLAG_*, for seccomp(2) as they are.
	Flags uint32
	// Notify means that the call gives a listener descriptor, which an agent
	// wants; Flags then has NEW_LISTENER.
	Notify bool
}

// Empty says whether there is nothing to load.
func (f Filter) Empty() bool { return len(f.Program) == 0 }

// The encoding: magic, stamp, flags, number of instructions, program, and the
// SHA-256 of all that; numbers are little-endian, the program is as it is.
const (
	magic      = "DAVITBP1"
	headerSize = len(magic) + sha256.Size + 4 + 4
	minEncoded = headerSize + InstructionSize + sha256.Size

	// MaxEncoded bounds an encoded filter, in bytes.
	MaxEncoded = headerSize + MaxInstructions*InstructionSize + sha256.Size
)

// Encode writes a filter for a cache file or a pipe. The stamp is the
// caller's, who gets the filter back only for the same stamp.
func (f Filter) Encode(stamp [sha256.Size]byte) []byte {
	out := make([]byte, 0, headerSize+len(f.Program)+sha256.Size)
	out = append(out, magic...)
	out = append(out, stamp[:]...)
	out = binary.LittleEndian.AppendUint32(out, f.Flags)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(f.Program)/InstructionSize))
	out = append(out, f.Program...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// Decode reads what Encode wrote. Program shares memory with data. Anything
// wrong is ErrEncoding.
func Decode(data []byte, stamp [sha256.Size]byte) (Filter, error) {
	if len(data) < minEncoded || len(data) > MaxEncoded {
		return Filter{}, ErrEncoding
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if !bytes.HasPrefix(body, []byte(magic)) || !bytes.HasPrefix(body[len(magic):], stamp[:]) {
		return Filter{}, ErrEncoding
	}
	numbers, program := body[len(magic)+sha256.Size:], body[headerSize:]
	count := uint64(binary.LittleEndian.Uint32(numbers[4:]))
	if uint64(len(program)) != count*InstructionSize || sha256.Sum256(body) != [sha256.Size]byte(sum) {
		return Filter{}, ErrEncoding
	}
	flags := binary.LittleEndian.Uint32(numbers)
	return Filter{program, flags, flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0}, nil
}

// CheckLength refuses a program that is longer than the kernel takes.
func (f Filter) CheckLength() error {
	if count := len(f.Program) / InstructionSize; count > MaxInstructions {
		return fmt.Errorf("the filter has %d instructions, the kernel takes %d at most", count, MaxInstructions)
	}
	return nil
}

// marshal gives instructions the form that the kernel reads.
func marshal(program []unix.SockFilter) []byte {
	out := make([]byte, 0, len(program)*InstructionSize)
	for _, in := range program {
		out = binary.NativeEndian.AppendUint16(out, in.Code)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out
}
