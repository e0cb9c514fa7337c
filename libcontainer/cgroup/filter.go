package cgroup

import (
	"encoding/binary"
	"fmt"
	"math"

	devices "github.com/opencontainers/cgroups/devices/config"
)

// instruction is one of eBPF (Documentation/bpf/standardization).
type instruction struct {
	code     uint8
	dst, src uint8
	offset   int16
	imm      int32
}

// The opcodes that a device filter needs; w is a 32-bit register operation.
const (
	opLoad   = 0x61 // dst = *(u32 *)(src + offset)
	opMovImm = 0xb4 // w dst = imm
	opMov    = 0xbc // w dst = src
	opAndImm = 0x54 // w dst &= imm
	opOr     = 0x4c // w dst |= src
	opShlImm = 0x64 // w dst <<= imm
	opShrImm = 0x74 // w dst >>= imm
	opJump   = 0x05 // goto +offset
	opJeqImm = 0x16 // if w dst == imm goto +offset
	opJneImm = 0x56 // if w dst != imm goto +offset
	opJandIm = 0x46 // if w dst & imm goto +offset
	opExit   = 0x95
)

// The registers of a device filter.
const (
	regResult = 0 // 1 allows, 0 denies
	regCtx    = 1 // struct bpf_cgroup_dev_ctx: access<<16|type, major, minor
	regKind   = 2
	regAccess = 3
	regMajor  = 4
	regMinor  = 5
	regDevice = 6 // major<<20 | minor
)

// A Linux device number has 12 bits of major and 20 of minor. An exception for
// larger numbers can match nothing.
const (
	maxMajor  = 1<<12 - 1
	maxMinor  = 1<<20 - 1
	minorBits = 20
)

// filter is an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE that is being
// written. All exceptions jump to one end, which keeps the number of states
// that the kernel's verifier must follow close to the number of rules.
type filter struct {
	code    []instruction
	matches []int // jumps to the end where an exception has matched
}

// compile returns the filter for a policy.
//
// The types are asked for once each: the exceptions for character devices,
// then those for block devices.
func (p *devicePolicy) compile() ([]instruction, error) {
	f := &filter{code: make([]instruction, 0, 16+3*len(p.exceptions))}
	f.prologue()
	list := p.listed()
	for _, kind := range []devices.Type{devices.CharDevice, devices.BlockDevice} {
		f.kind(kind, list, p.allow)
	}
	var byDefault int32
	if p.allow {
		byDefault = 1
	}
	f.add(instruction{code: opMovImm, dst: regResult, imm: byDefault}, instruction{code: opExit})
	end := len(f.code)
	if len(f.matches) > 0 {
		f.add(instruction{code: opMovImm, dst: regResult, imm: 1 - byDefault}, instruction{code: opExit})
	}
	if end > math.MaxInt16 {
		return nil, fmt.Errorf("linux.resources.devices: %d rules are too many", len(list))
	}
	for _, at := range f.matches {
		f.code[at].offset = int16(end - at - 1)
	}
	return f.code, nil
}

func (f *filter) add(code ...instruction) { f.code = append(f.code, code...) }

// prologue loads the registers.
func (f *filter) prologue() {
	f.add(
		instruction{code: opLoad, dst: regKind, src: regCtx},
		instruction{code: opLoad, dst: regMajor, src: regCtx, offset: 4},
		instruction{code: opLoad, dst: regMinor, src: regCtx, offset: 8},
		instruction{code: opMov, dst: regAccess, src: regKind},
		instruction{code: opShrImm, dst: regAccess, imm: 16},
		instruction{code: opAndImm, dst: regKind, imm: 0xffff},
		instruction{code: opMov, dst: regDevice, src: regMajor},
		instruction{code: opShlImm, dst: regDevice, imm: minorBits},
		instruction{code: opOr, dst: regDevice, src: regMinor},
	)
}

// kind adds the exceptions for one type of device.
func (f *filter) kind(kind devices.Type, list []exception, allow bool) {
	const bpfBlock, bpfChar = 1, 2
	list = exceptionsFor(kind, list)
	if len(list) == 0 {
		return
	}
	number := int32(bpfChar)
	if kind == devices.BlockDevice {
		number = bpfBlock
	}
	start := len(f.code)
	f.add(instruction{code: opJneImm, dst: regKind, imm: number})
	for _, e := range list {
		f.exception(e, allow)
	}
	f.code[start].offset = int16(len(f.code) - start - 1)
}

// exceptionsFor returns the exceptions for one type that can match a device.
// One that matches all of them is the only one: the verifier refuses code that
// cannot be reached.
func exceptionsFor(kind devices.Type, list []exception) []exception {
	var some []exception
	for _, e := range list {
		if e.kind != kind || e.major > maxMajor || e.minor > maxMinor {
			continue
		}
		if e.major < 0 && e.minor < 0 && e.access == accessAll {
			return []exception{e}
		}
		some = append(some, e)
	}
	return some
}

// exception adds one. An exception for all accesses is one comparison.
func (f *filter) exception(e exception, allow bool) {
	test, ok := e.test()
	if e.access == accessAll {
		if ok {
			test.code = opJeqImm
			f.match(test)
			return
		}
		f.match(instruction{code: opJump})
		return
	}
	skip := len(f.code)
	if ok {
		f.add(test)
	}
	if allow {
		// Denied is what has any of the accesses: whoever may not write may
		// not open for reading and writing either.
		f.match(instruction{code: opJandIm, dst: regAccess, imm: int32(e.access)})
	} else {
		// Allowed is what has none but these.
		f.add(instruction{code: opJandIm, dst: regAccess, imm: int32(accessAll &^ e.access), offset: 1})
		f.match(instruction{code: opJump})
	}
	if ok {
		f.code[skip].offset = int16(len(f.code) - skip - 1)
	}
}

// test returns the comparison that is true for a device that e is not for;
// ok is false if e is for all devices of its type.
func (e exception) test() (test instruction, ok bool) {
	switch {
	case e.major < 0 && e.minor < 0:
		return test, false
	case e.minor < 0:
		return instruction{code: opJneImm, dst: regMajor, imm: int32(e.major)}, true
	case e.major < 0:
		return instruction{code: opJneImm, dst: regMinor, imm: int32(e.minor)}, true
	}
	return instruction{code: opJneImm, dst: regDevice, imm: int32(uint32(e.major<<minorBits | e.minor))}, true
}

// match adds a jump to the end of the program.
func (f *filter) match(i instruction) {
	f.matches = append(f.matches, len(f.code))
	f.add(i)
}

// encode returns the program as the kernel reads it.
func encode(code []instruction) []byte {
	b := make([]byte, 0, 8*len(code))
	for _, i := range code {
		b = append(b, i.code, i.dst|i.src<<4)
		b = binary.NativeEndian.AppendUint16(b, uint16(i.offset))
		b = binary.NativeEndian.AppendUint32(b, uint32(i.imm))
	}
	return b
}
