package diff

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// expand undoes a compression by other means than ours where there are any.
func expand(t *testing.T, data []byte, c Compression) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch c {
	case Gzip:
		r, err = gzip.NewReader(r)
	case Zstd:
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// compressed writes data in chunks, on so many processors.
func compressed(t *testing.T, data []byte, c Compression, processors int) ([]byte, Blob) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	var out bytes.Buffer
	w, err := NewWriter(&out, c)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 100_000)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	blob, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), blob
}

func TestWriter(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	long := make([]byte, 7<<20)
	for i := range long {
		long[i] = "abcdefgh"[random.Intn(8)]
	}
	for _, c := range []Compression{Uncompressed, Gzip, Zstd} {
		for _, data := range [][]byte{nil, []byte("short"), long} {
			t.Run(fmt.Sprintf("%s %d", c, len(data)), func(t *testing.T) {
				got, blob := compressed(t, data, c, 2)
				if !bytes.Equal(expand(t, got, c), data) {
					t.Error("the data came back changed")
				}
				if want := fmt.Sprintf("sha256:%x", sha256.Sum256(got)); blob.Digest.String() != want || blob.Size != int64(len(got)) {
					t.Errorf("got the digest %s of %d bytes, want %s of %d", blob.Digest, blob.Size, want, len(got))
				}
				if want := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); blob.DiffID.String() != want {
					t.Errorf("got the diffID %s, want %s", blob.DiffID, want)
				}
				if again, _ := compressed(t, data, c, 1); !bytes.Equal(again, got) {
					t.Error("another number of processors gives other bytes")
				}
			})
		}
	}
	if _, err := NewWriter(io.Discard, "lzma"); err == nil {
		t.Error("lzma was taken")
	}
}

// failing is a writer on a full disk.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriterTellsErrors(t *testing.T) {
	data := make([]byte, 9<<20)
	rand.New(rand.NewSource(1)).Read(data)
	for _, c := range []Compression{Uncompressed, Gzip, Zstd} {
		w, err := NewWriter(&failing{left: 1 << 20}, c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(w, bytes.NewReader(data))
		if err == nil {
			_, err = w.Close()
		}
		if err == nil {
			t.Errorf("%q: a full disk was not noticed", c)
		}
	}
}
