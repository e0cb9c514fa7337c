package decompress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/davit-containers/davit/conformance/needs"
)

// compressed is what a program makes of data.
func compressed(t *testing.T, data []byte, program string, args ...string) []byte {
	t.Helper()
	needs.Program(t, program)
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return out
}

// data are half a megabyte, half of it noise.
func data() []byte {
	r := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 1<<18)
	r.Read(noise)
	return append([]byte(strings.Repeat("0123456789abcdef", 1<<14)), noise...)
}

func TestCopy(t *testing.T) {
	want := data()
	for _, test := range []struct {
		format  Format
		command []string
	}{
		{Plain, []string{"cat"}}, {Gzip, []string{"gzip", "-c"}}, {Zstd, []string{"zstd", "-c"}},
		{Bzip2, []string{"bzip2", "-c"}}, {Xz, []string{"xz", "-9", "-c"}}, {Zstd, []string{"pzstd", "-c"}}, {Xz, []string{"xz", "-T2", "--block-size=65536", "-c"}},
	} {
		t.Run(strings.Join(test.command, " "), func(t *testing.T) {
			raw := compressed(t, want, test.command[0], test.command[1:]...)
			if got := Detect(raw[:HeadSize]); got != test.format {
				t.Errorf("it is taken for %q", got)
			}
			var out bytes.Buffer
			if err := Copy(&out, iotest.HalfReader(bytes.NewReader(raw))); err != nil || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%d bytes of %d, %v", out.Len(), len(want), err)
			}
			r := NewReader(bytes.NewReader(raw))
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) || r.Close() != nil {
				t.Errorf("read, it has %d bytes of %d, %v", len(got), len(want), err)
			}
			if test.format == Plain {
				return
			}
			for what, bad := range map[string][]byte{"cut off": raw[:len(raw)/2], "changed": changed(raw)} {
				if err := Copy(&out, bytes.NewReader(bad)); !errors.Is(err, ErrDamaged) {
					t.Errorf("%s: %v", what, err)
				}
			}
			broken := errors.New("broken")
			if err := Copy(&out, iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(raw)))); !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrDamaged) {
				t.Errorf("a source that fails: %v", err)
			}
			if err := Copy(failing{broken}, bytes.NewReader(raw)); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
				t.Errorf("a destination that fails: %v", err)
			}
		})
	}
}

// changed has other bytes in the middle.
func changed(raw []byte) []byte {
	raw = bytes.Clone(raw)
	for i := range 64 {
		raw[len(raw)/2+i] ^= 0x55
	}
	return raw
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestReaderThatIsClosed: what it did not read does not keep it.
func TestReaderThatIsClosed(t *testing.T) {
	raw := compressed(t, data(), "gzip", "-c")
	r := NewReader(io.MultiReader(bytes.NewReader(raw), endless{}))
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := r.Read(make([]byte, 10)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after it was closed: %v", err)
	}
}

// endless are zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestUnknown: what cannot be decompressed is named.
func TestUnknown(t *testing.T) {
	err := Copy(io.Discard, strings.NewReader("\x04\x22\x4d\x18 and more"))
	if !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), "lz4: ") {
		t.Errorf("got %v", err)
	}
}

// TestBoundedMemory: a stream that asks for more memory than there should be is
// refused.
func TestBoundedMemory(t *testing.T) {
	raw := compressed(t, data(), "xz", "-c")
	// Source: the .xz file format, 3.1 and 5.3.1: the first block's header follows
	// twelve bytes; its filter, LZMA2, has the size of the dictionary in one byte.
	header := raw[12 : 12+(int(raw[12])+1)*4]
	at := bytes.Index(header, []byte{0x21, 1}) + 2
	const gigabyte = 36
	header[at] = gigabyte
	end := len(header) - 4
	binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
	if err := Copy(io.Discard, bytes.NewReader(raw)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "dictionary size") {
		t.Errorf("xz: %v", err)
	}
}
