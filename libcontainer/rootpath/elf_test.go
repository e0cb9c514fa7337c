package rootpath

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

// program describes an ELF file for build.
type program struct {
	class    elf.Class
	order    binary.ByteOrder
	machine  elf.Machine
	interp   string
	needed   []string
	rpath    string
	runpath  string
	noTable  bool
	segments int // program headers to claim, where not 0
}

// native is a program of this machine.
func native(p program) program {
	p.class, p.order, p.machine = elf.ELFCLASS64, binary.LittleEndian, elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		p.machine = elf.EM_AARCH64
	}
	return p
}

// build lays out a header, three program headers, the interpreter, the string
// table and the dynamic section; everything is loaded at base.
func (p program) build() []byte {
	const base = 0x400000
	var strs, dyn bytes.Buffer
	strs.WriteByte(0)
	entry := func(tag elf.DynTag, text string) [2]uint64 {
		at := strs.Len()
		strs.WriteString(text + "\x00")
		return [2]uint64{uint64(tag), uint64(at)}
	}
	var entries [][2]uint64
	for _, n := range p.needed {
		entries = append(entries, entry(elf.DT_NEEDED, n))
	}
	if p.rpath != "" {
		entries = append(entries, entry(elf.DT_RPATH, p.rpath))
	}
	if p.runpath != "" {
		entries = append(entries, entry(elf.DT_RUNPATH, p.runpath))
	}
	head, width := 64+3*56, 8
	if p.class == elf.ELFCLASS32 {
		head, width = 52+3*32, 4
	}
	interpAt := head
	strsAt := interpAt + len(p.interp) + 1
	if !p.noTable {
		entries = append(entries, [2]uint64{uint64(elf.DT_STRTAB), uint64(base + strsAt)})
	}
	entries = append(entries, [2]uint64{})
	for _, e := range entries {
		p.words(&dyn, width, e[0], e[1])
	}
	dynAt := strsAt + strs.Len()
	out := p.headers(head, interpAt, dynAt, dyn.Len(), base)
	return slices.Concat(out, []byte(p.interp+"\x00"), strs.Bytes(), dyn.Bytes())
}

func (p program) words(b *bytes.Buffer, width int, words ...uint64) {
	for _, w := range words {
		if width == 4 {
			binary.Write(b, p.order, uint32(w))
		} else {
			binary.Write(b, p.order, w)
		}
	}
}

func (p program) headers(head, interpAt, dynAt, dynLen, base int) []byte {
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(p.class), 1, 1}
	if p.order == binary.ByteOrder(binary.BigEndian) {
		ident[5] = 2
	}
	count := uint16(3)
	if p.segments != 0 {
		count = uint16(p.segments)
	}
	interp := elf.PT_INTERP
	if p.interp == "" {
		interp = elf.PT_NOTE
	}
	end, interpLen := dynAt+dynLen, len(p.interp)+1
	var b bytes.Buffer
	if p.class == elf.ELFCLASS32 {
		binary.Write(&b, p.order, elf.Header32{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(p.machine), Phoff: 52, Phentsize: 32, Phnum: count})
		for _, s := range [][3]int{{int(elf.PT_LOAD), 0, end}, {int(interp), interpAt, interpLen}, {int(elf.PT_DYNAMIC), dynAt, dynLen}} {
			binary.Write(&b, p.order, elf.Prog32{Type: uint32(s[0]), Off: uint32(s[1]), Vaddr: uint32(base + s[1]), Filesz: uint32(s[2])})
		}
	} else {
		binary.Write(&b, p.order, elf.Header64{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(p.machine), Phoff: 64, Phentsize: 56, Phnum: count})
		for _, s := range [][3]int{{int(elf.PT_LOAD), 0, end}, {int(interp), interpAt, interpLen}, {int(elf.PT_DYNAMIC), dynAt, dynLen}} {
			binary.Write(&b, p.order, elf.Prog64{Type: uint32(s[0]), Off: uint64(s[1]), Vaddr: uint64(base + s[1]), Filesz: uint64(s[2])})
		}
	}
	return b.Bytes()
}

func TestReadImage(t *testing.T) {
	little, big := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	tests := []struct {
		name string
		p    program
		want image
		arch string
	}{
		{"static", program{class: elf.ELFCLASS64, order: little, machine: elf.EM_X86_64},
			image{wide: true, machine: emX8664}, "amd64"},
		{"dynamic", program{class: elf.ELFCLASS64, order: little, machine: elf.EM_AARCH64, interp: "/lib/ld.so", needed: []string{"a.so", "b.so"}, rpath: "/r", runpath: "$ORIGIN/x"},
			image{wide: true, machine: emAArch64, interp: "/lib/ld.so", needed: []string{"a.so", "b.so"}, rpath: "/r", runpath: "$ORIGIN/x"}, "arm64"},
		{"32 bits", program{class: elf.ELFCLASS32, order: little, machine: elf.EM_386, interp: "/lib/ld-linux.so.2", needed: []string{"a.so"}},
			image{machine: em386, interp: "/lib/ld-linux.so.2", needed: []string{"a.so"}}, "386"},
		{"big-endian", program{class: elf.ELFCLASS64, order: big, machine: elf.EM_S390, interp: "/lib/ld64.so.1", needed: []string{"a.so"}},
			image{wide: true, machine: emS390, interp: "/lib/ld64.so.1", needed: []string{"a.so"}}, "s390x"},
		{"unknown machine", program{class: elf.ELFCLASS32, order: big, machine: 999},
			image{machine: 999}, "ELF machine 999"},
		{"no string table", program{class: elf.ELFCLASS64, order: little, needed: []string{"a.so"}, noTable: true},
			image{wide: true}, "ELF machine 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readImage(bytes.NewReader(tt.p.build()))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
			if got.arch() != tt.arch {
				t.Errorf("got %s, want %s", got.arch(), tt.arch)
			}
		})
	}
}

func TestReadImageMalformed(t *testing.T) {
	whole := native(program{interp: "/lib/ld.so", needed: []string{"a.so"}}).build()
	patched := func(at int, with ...byte) []byte {
		data := slices.Clone(whole)
		copy(data[at:], with)
		return data
	}
	many := native(program{needed: make([]string, maxNeeded+1)}).build()
	tests := []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"header cut", whole[:40]},
		{"64-bit header cut", whole[:60]},
		{"program headers cut", whole[:100]},
		{"strings cut", whole[:64+3*56+4]},
		{"class 3", patched(4, 3)},
		{"no byte order", patched(5, 0)},
		{"size of program headers", patched(54, 1)},
		{"too many program headers", patched(56, 0xff, 0xff)},
		{"offset of program headers", patched(32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"offset of the interpreter", patched(64+56+8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"offset of the interpreter behind the end", patched(64+56+8, 0xff, 0xff)},
		{"nothing is loaded", patched(64, 9)},
		{"too many libraries", many},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if img, err := readImage(bytes.NewReader(tt.data)); !errors.Is(err, errNotELF) {
				t.Errorf("got %+v, %v", img, err)
			}
		})
	}
}

// The programs of this machine read as debug/elf reads them.
func TestReadImageAsStandardLibrary(t *testing.T) {
	paths, _ := filepath.Glob("/usr/bin/*")
	checked := 0
	for _, path := range paths[:min(len(paths), 150)] {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		want, err := elf.NewFile(f)
		if err != nil {
			continue
		}
		got, err := readImage(f)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		needed, _ := want.ImportedLibraries()
		runpath, _ := want.DynString(elf.DT_RUNPATH)
		if !slices.Equal(got.needed, needed) || got.machine != uint16(want.Machine) || len(runpath) > 0 && got.runpath != runpath[0] {
			t.Errorf("%s: got %+v, want %v, %v", path, got, needed, runpath)
		}
		checked++
	}
	t.Log(checked, "programs")
}

func FuzzReadImage(f *testing.F) {
	f.Add(native(program{interp: "/lib/ld.so", needed: []string{"a.so"}, rpath: "/r"}).build())
	f.Add(program{class: elf.ELFCLASS32, order: binary.BigEndian, interp: "/i", needed: []string{"a"}, runpath: "x"}.build())
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := readImage(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(img.needed) > maxNeeded || len(img.interp) > maxString+256 {
			t.Errorf("unbounded: %d libraries, an interpreter of %d bytes", len(img.needed), len(img.interp))
		}
	})
}
