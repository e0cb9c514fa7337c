package rootpath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strconv"
)

// What is read of an ELF file is bounded; a real one stays far below.
const (
	maxSegments = 256
	maxDynamic  = 2048 // entries
	maxNeeded   = 128
	maxString   = 4096 // bytes, PATH_MAX
)

var errNotELF = errors.New("malformed ELF file")

// image is what a program loader takes from an ELF file. The standard library's
// debug/elf knows it too, and with it DWARF and two decompressors, which cost
// each start of each command 0.2 ms.
type image struct {
	wide    bool // 64 bits
	machine uint16
	interp  string
	needed  []string
	rpath   string
	runpath string
}

// same tells whether b can be loaded into a's process.
func (a *image) same(b *image) bool { return a.wide == b.wide && a.machine == b.machine }

// ELF's numbers, from elf.h.
const (
	ptLoad, ptDynamic, ptInterp                        = 1, 2, 3
	dtNull, dtNeeded, dtStrtab, dtRpath, dtRunpath     = 0, 1, 5, 15, 29
	em386, emARM, emX8664, emAArch64, emRISCV, emLoong = 3, 40, 62, 183, 243, 258
	emMIPS, emPPC64, emS390                            = 8, 21, 22
)

// readImage reads an ELF file, which need not be a sane one.
func readImage(r io.ReaderAt) (*image, error) {
	e := &elfReader{r: r}
	if err := e.header(); err != nil {
		return nil, err
	}
	for _, s := range e.segments {
		var err error
		switch s.kind {
		case ptInterp:
			e.img.interp, err = e.text(s.offset)
		case ptDynamic:
			err = e.dynamic(s)
		}
		if err != nil {
			return nil, err
		}
	}
	return &e.img, nil
}

// segment is a program header.
type segment struct {
	kind                uint32
	offset, addr, bytes uint64
}

type elfReader struct {
	r        io.ReaderAt
	order    binary.ByteOrder
	img      image
	segments []segment
}

func (e *elfReader) header() error {
	h, err := e.bytes(0, 52)
	if err != nil || string(h[:4]) != "\x7fELF" || h[4] < 1 || h[4] > 2 || h[5] < 1 || h[5] > 2 {
		return errNotELF
	}
	e.img.wide = h[4] == 2
	e.order = binary.ByteOrder(binary.LittleEndian)
	if h[5] == 2 {
		e.order = binary.BigEndian
	}
	e.img.machine = e.order.Uint16(h[18:])
	offset, size, count := uint64(e.order.Uint32(h[28:])), e.order.Uint16(h[42:]), e.order.Uint16(h[44:])
	if e.img.wide {
		if h, err = e.bytes(0, 64); err != nil {
			return errNotELF
		}
		offset, size, count = e.order.Uint64(h[32:]), e.order.Uint16(h[54:]), e.order.Uint16(h[56:])
	}
	return e.programHeaders(offset, size, count)
}

func (e *elfReader) programHeaders(offset uint64, size, count uint16) error {
	want := uint16(32)
	if e.img.wide {
		want = 56
	}
	if count == 0 {
		return nil
	}
	if size != want || count > maxSegments {
		return errNotELF
	}
	data, err := e.bytes(offset, int(size)*int(count))
	if err != nil {
		return err
	}
	for i := range int(count) {
		e.segments = append(e.segments, e.programHeader(data[i*int(size):]))
	}
	return nil
}

func (e *elfReader) programHeader(d []byte) segment {
	if e.img.wide {
		return segment{e.order.Uint32(d), e.order.Uint64(d[8:]), e.order.Uint64(d[16:]), e.order.Uint64(d[32:])}
	}
	return segment{e.order.Uint32(d), uint64(e.order.Uint32(d[4:])), uint64(e.order.Uint32(d[8:])), uint64(e.order.Uint32(d[16:]))}
}

// dynamic reads the dynamic section: names are offsets into the string table,
// which may come after them.
func (e *elfReader) dynamic(s segment) error {
	width := 4
	if e.img.wide {
		width = 8
	}
	data, err := e.bytes(s.offset, int(min(s.bytes, uint64(2*width*maxDynamic))))
	if err != nil {
		return err
	}
	entries := map[uint64][]uint64{}
	for ; len(data) >= 2*width; data = data[2*width:] {
		tag, value := e.word(data), e.word(data[width:])
		if tag == dtNull {
			break
		}
		switch tag {
		case dtNeeded, dtStrtab, dtRpath, dtRunpath:
			entries[tag] = append(entries[tag], value)
		}
	}
	return e.names(entries)
}

func (e *elfReader) word(d []byte) uint64 {
	if e.img.wide {
		return e.order.Uint64(d)
	}
	return uint64(e.order.Uint32(d))
}

func (e *elfReader) names(entries map[uint64][]uint64) error {
	if len(entries[dtStrtab]) == 0 {
		return nil
	}
	table, ok := e.offsetOf(entries[dtStrtab][0])
	if !ok || len(entries[dtNeeded]) > maxNeeded {
		return errNotELF
	}
	var err error
	text := func(at uint64) (s string) {
		if err == nil {
			s, err = e.text(table + at)
		}
		return s
	}
	for _, at := range entries[dtNeeded] {
		e.img.needed = append(e.img.needed, text(at))
	}
	for _, at := range entries[dtRpath] {
		e.img.rpath = text(at)
	}
	for _, at := range entries[dtRunpath] {
		e.img.runpath = text(at)
	}
	return err
}

// offsetOf is where in the file an address in memory comes from.
func (e *elfReader) offsetOf(addr uint64) (offset uint64, ok bool) {
	for _, s := range e.segments {
		if s.kind == ptLoad && addr >= s.addr && addr-s.addr < s.bytes {
			return s.offset + (addr - s.addr), true
		}
	}
	return 0, false
}

// text reads a string that ends with a zero.
func (e *elfReader) text(offset uint64) (string, error) {
	if offset > math.MaxInt64 {
		return "", errNotELF
	}
	buf := make([]byte, 256)
	for got := []byte(nil); len(got) < maxString; {
		n, err := e.r.ReadAt(buf, int64(offset)+int64(len(got)))
		if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
			return string(append(got, buf[:end]...)), nil
		}
		if err != nil {
			break
		}
		got = append(got, buf[:n]...)
	}
	return "", errNotELF
}

func (e *elfReader) bytes(offset uint64, n int) ([]byte, error) {
	if offset > math.MaxInt64 {
		return nil, errNotELF
	}
	buf := make([]byte, n)
	if got, _ := e.r.ReadAt(buf, int64(offset)); got < n {
		return nil, errNotELF
	}
	return buf, nil
}

// runsHere tells whether this machine runs programs of the image's kind,
// 32-bit ones of its family included.
func (a *image) runsHere() bool {
	switch runtime.GOARCH {
	case "amd64":
		return a.machine == emX8664 || a.machine == em386
	case "arm64":
		return a.machine == emAArch64 || a.machine == emARM
	}
	return true
}

// arch is Go's name for the image's machine, as images' platforms use it.
func (a *image) arch() string {
	switch a.machine {
	case em386:
		return "386"
	case emARM:
		return "arm"
	case emX8664:
		return "amd64"
	case emAArch64:
		return "arm64"
	case emRISCV:
		return "riscv64"
	case emLoong:
		return "loong64"
	case emMIPS:
		return "mips"
	case emPPC64:
		return "ppc64le"
	case emS390:
		return "s390x"
	}
	return "ELF machine " + strconv.Itoa(int(a.machine))
}
