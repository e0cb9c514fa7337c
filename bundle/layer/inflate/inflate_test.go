package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// samples are contents that exercise each kind of block and match.
func samples() map[string][]byte {
	noise := make([]byte, 300_000)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(noise)
	words := new(bytes.Buffer)
	for words.Len() < 2<<20 {
		words.WriteString([]string{"layer", "usr/share/", "lib", "\x00\x00\x00\x00", "ELF", "0000755"}[noise[words.Len()%len(noise)]%6])
		words.WriteByte(noise[words.Len()*7%len(noise)])
	}
	skewed := make([]byte, 200_000)
	for i := range skewed { // codes of up to 15 bits
		skewed[i] = byte(min(255, 1<<(uint(noise[i])%13)*int(noise[len(noise)-i-1])/200))
	}
	return map[string][]byte{
		"empty":       nil,
		"byte":        {'x'},
		"noise":       noise,
		"words":       words.Bytes(),
		"skewed":      skewed,
		"zeros":       make([]byte, 2<<20),
		"pattern 3":   bytes.Repeat([]byte("abc"), 100_000),
		"pattern 7":   bytes.Repeat([]byte("abcdefg"), 100_000),
		"far matches": append(append(bytes.Clone(noise[:windowSize]), noise[:windowSize]...), noise[:windowSize]...),
	}
}

// compress makes one member.
func compress(t testing.TB, content []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	w.Close()
	return b.Bytes()
}

func TestDecompress(t *testing.T) {
	for name, content := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression} {
			data := compress(t, content, level)
			for _, src := range []io.Reader{bytes.NewReader(data), iotest.DataErrReader(bytes.NewReader(data)), iotest.HalfReader(bytes.NewReader(data))} {
				var got bytes.Buffer
				n, err := Decompress(&got, src)
				if err != nil || n != int64(len(content)) || !bytes.Equal(got.Bytes(), content) {
					t.Errorf("%s at level %d: %d bytes of %d, equal %v, %v", name, level, n, len(content), bytes.Equal(got.Bytes(), content), err)
				}
			}
		}
	}
}

func TestByteByByte(t *testing.T) {
	content := samples()["words"][:100_000]
	var got bytes.Buffer
	if _, err := Decompress(&got, iotest.OneByteReader(bytes.NewReader(compress(t, content, 6)))); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("not the content: %v", err)
	}
}

func TestMembers(t *testing.T) {
	one := compress(t, []byte("one "), 9)
	var header bytes.Buffer
	w := gzip.NewWriter(&header)
	w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra\x00field")
	w.Write([]byte("two"))
	w.Close()
	tests := []struct {
		name string
		data []byte
		want string
		err  error
	}{
		{"two", append(bytes.Clone(one), one...), "one one ", nil},
		{"header fields", append(bytes.Clone(one), header.Bytes()...), "one two", nil},
		{"header checksum", withHeaderSum(one, 0), "one ", nil},
		{"wrong header checksum", withHeaderSum(one, 1), "", ErrChecksum},
		{"nothing", nil, "", io.ErrUnexpectedEOF},
		{"not gzip", []byte("PK\x03\x04 and so on, and on"), "", ErrCorrupt},
		{"trailing bytes", append(bytes.Clone(one), "garbage"...), "one ", ErrCorrupt},
		{"trailing zeros", append(bytes.Clone(one), make([]byte, 512)...), "one ", ErrCorrupt},
		{"no trailer", one[:len(one)-8], "one ", io.ErrUnexpectedEOF},
		{"half a trailer", one[:len(one)-3], "one ", io.ErrUnexpectedEOF},
		{"wrong checksum", flip(one, len(one)-8), "one ", ErrChecksum},
		{"wrong size", flip(one, len(one)-1), "one ", ErrChecksum},
		{"reserved flag", flip(one, 3), "", ErrCorrupt},
		{"match before the member", append(bytes.Clone(one), reaching(t)...), "one ", ErrCorrupt},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got strings.Builder
			_, err := Decompress(&got, bytes.NewReader(test.data))
			if got.String() != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v, want %q, %v", got.String(), err, test.want, test.err)
			}
		})
	}
}

// flip changes the highest bit of a byte.
func flip(data []byte, i int) []byte {
	changed := bytes.Clone(data)
	changed[i] ^= 0x80
	return changed
}

// withHeaderSum gives a plain member a header checksum that is off by delta.
func withHeaderSum(member []byte, delta uint16) []byte {
	header := bytes.Clone(member[:10])
	header[3] |= flagHeaderSum
	sum := uint16(crc32.ChecksumIEEE(header)) + delta
	return append(append(header, byte(sum), byte(sum>>8)), member[10:]...)
}

// reaching is a member whose first match reaches for what is before it.
func reaching(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	w, err := flate.NewWriterDict(&b, 9, []byte("one one one one one one "))
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("one one one one one "))
	w.Close()
	return b.Bytes()
}

// A stream that is cut anywhere is an error, and never a panic.
func TestTruncated(t *testing.T) {
	for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
		data := compress(t, samples()["words"][:600], level)
		for n := range data {
			if _, err := Decompress(io.Discard, bytes.NewReader(data[:n])); err != io.ErrUnexpectedEOF {
				t.Fatalf("level %d, %d bytes of %d: got %v", level, n, len(data), err)
			}
		}
	}
}

func TestErrorsOfOthers(t *testing.T) {
	broken := errors.New("broken")
	data := compress(t, samples()["words"], 6)
	if _, err := Decompress(io.Discard, io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken))); err != broken {
		t.Errorf("a source that breaks: %v", err)
	}
	if _, err := Decompress(iotest.TruncateWriter(failing{broken}, 0), bytes.NewReader(data)); err != nil {
		t.Errorf("a truncating writer: %v", err)
	}
	if _, err := Decompress(failing{broken}, bytes.NewReader(data)); err != broken {
		t.Errorf("a destination that breaks: %v", err)
	}
	if _, err := Decompress(io.Discard, idle{}); err != io.ErrNoProgress {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// Whatever the input is, both decompressors of it agree.
func FuzzDecompress(f *testing.F) {
	for _, content := range samples() {
		f.Add(compress(f, content[:min(len(content), 2000)], 9))
		f.Add(compress(f, content[:min(len(content), 500)], flate.HuffmanOnly))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want bytes.Buffer
		_, err := Decompress(&got, bytes.NewReader(data))
		wantErr := standard(&want, data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got %v, the standard library %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%d bytes and %d bytes differ", got.Len(), want.Len())
		}
	})
}

func standard(dst io.Writer, data []byte) error {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, r)
	return err
}

func BenchmarkDecompress(b *testing.B) {
	content := samples()["words"]
	data := compress(b, content, 6)
	for name, decompress := range map[string]func() error{
		"inflate":       func() error { _, err := Decompress(io.Discard, bytes.NewReader(data)); return err },
		"compress/gzip": func() error { return standard(io.Discard, data) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if err := decompress(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
