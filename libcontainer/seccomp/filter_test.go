package seccomp

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

func TestEncode(t *testing.T) {
	stamp := sha256.Sum256([]byte("stamp"))
	program := bytes.Repeat([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, 3)
	tests := []struct {
		name   string
		filter Filter
	}{
		{"plain", Filter{program, 4, false}},
		{"notify", Filter{program[:8], 8 | 32, true}},
		{"longest", Filter{make([]byte, MaxInstructions*InstructionSize), 0, false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := test.filter.Encode(stamp)
			got, err := Decode(data, stamp)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Program, test.filter.Program) || got.Flags != test.filter.Flags || got.Notify != test.filter.Notify {
				t.Errorf("got %+v, want %+v", got, test.filter)
			}
			if _, err := Decode(data, sha256.Sum256(nil)); err != ErrEncoding {
				t.Errorf("with another stamp: got %v, want %v", err, ErrEncoding)
			}
		})
	}
}

// TestDecodeEveryFlippedBit: no damage goes unnoticed.
func TestDecodeEveryFlippedBit(t *testing.T) {
	stamp := sha256.Sum256([]byte("stamp"))
	data := Filter{make([]byte, 16), 4, false}.Encode(stamp)
	for i := range len(data) * 8 {
		data[i/8] ^= 1 << (i % 8)
		if _, err := Decode(data, stamp); err != ErrEncoding {
			t.Fatalf("bit %d: got %v, want %v", i, err, ErrEncoding)
		}
		data[i/8] ^= 1 << (i % 8)
	}
	for n := range data {
		if _, err := Decode(data[:n], stamp); err != ErrEncoding {
			t.Fatalf("%d bytes: got %v, want %v", n, err, ErrEncoding)
		}
	}
}

func TestCheckLength(t *testing.T) {
	if err := (Filter{Program: make([]byte, MaxInstructions*8)}).CheckLength(); err != nil {
		t.Errorf("the longest program: %v", err)
	}
	if err := (Filter{Program: make([]byte, MaxInstructions*8+8)}).CheckLength(); err == nil {
		t.Error("a program that is too long is accepted")
	}
}

// FuzzDecode: whatever decodes is bounded, whole, and encodes to the same.
func FuzzDecode(f *testing.F) {
	stamp := sha256.Sum256([]byte("stamp"))
	f.Add(Filter{make([]byte, 8), 4, false}.Encode(stamp), true)
	f.Add([]byte(magic), false)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal && len(data) >= sha256.Size { // past the checksum
			sum := sha256.Sum256(data[:len(data)-sha256.Size])
			copy(data[len(data)-sha256.Size:], sum[:])
			copy(data[min(len(magic), len(data)):], stamp[:])
		}
		got, err := Decode(data, stamp)
		if err != nil {
			return
		}
		if got.Empty() || len(got.Program)%InstructionSize != 0 || got.CheckLength() != nil {
			t.Fatalf("a program of %d bytes", len(got.Program))
		}
		if !bytes.Equal(got.Encode(stamp), data) {
			t.Fatal("encodes to something else")
		}
	})
}
