package layer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
)

func hashOf(b []byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(b))}
}

func blobOf(compressed, plain []byte) Blob {
	return Blob{Digest: hashOf(compressed), Size: int64(len(compressed)), DiffID: hashOf(plain)}
}

// noise is content that compresses, but not to nothing.
func noise(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = "abcdefgh"[r.Uint32()&7]
	}
	return b
}

func gzipped(parts ...[]byte) []byte {
	var out bytes.Buffer
	for i, p := range parts {
		w := gzip.NewWriter(&out)
		w.Name, w.Comment, w.Extra = fmt.Sprint("part ", i), "comment", []byte("extra")
		w.Write(p)
		w.Close()
	}
	return out.Bytes()
}

func zstded(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, p := range parts {
		out = w.EncodeAll(p, out)
		out = append(out, 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'T', 'O', 'C', '.') // skipped, as in zstd:chunked
	}
	return out
}

// readAll reads a layer to its end, as the unpacker does.
func readAll(blob []byte, want Blob) ([]byte, error) {
	r, err := Open(context.Background(), iotest.HalfReader(bytes.NewReader(blob)), want)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	if verifying := r.Verify(); verifying != nil {
		err = verifying
	}
	if closing := r.Close(); closing != r.Verify() {
		return nil, fmt.Errorf("closing says %v, and verifying %v", closing, r.Verify())
	}
	return got, err
}

func TestOpenDecompresses(t *testing.T) {
	a, b := noise(3<<20), noise(100)
	both := append(append([]byte{}, a...), b...)
	cases := []struct {
		name       string
		blob, want []byte
	}{
		{"plain", both, both},
		{"plain and empty", nil, nil},
		{"gzip", gzipped(both), both},
		{"gzip of several members, with names and comments", gzipped(a, b, nil), both},
		{"zstd", zstded(t, both), both},
		{"zstd of several frames, some to be skipped", zstded(t, a, b), both},
		{"zstd that begins with a frame to be skipped", append([]byte{0x5f, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'}, zstded(t, both)...), both},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(c.blob, blobOf(c.blob, c.want))
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("got %d bytes and error %v, want %d bytes", len(got), err, len(c.want))
			}
		})
	}
}

func TestOpenVerifies(t *testing.T) {
	content := noise(100_000)
	good := gzipped(content)
	right := blobOf(good, content)
	change := func(f func(b *Blob)) Blob { b := right; f(&b); return b }
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	other := hashOf([]byte("other"))
	cases := []struct {
		name string
		blob []byte
		want Blob
		err  string
	}{
		{"another digest", good, change(func(b *Blob) { b.Digest = other }), "digest is " + right.Digest.String()},
		{"another diff_id", good, change(func(b *Blob) { b.DiffID = other }), "diff_id is " + right.DiffID.String()},
		{"another digest of a layer that is not compressed", content, Blob{other, int64(len(content)), other}, "digest is"},
		{"too short", good[:len(good)-9], right, "size is"},
		{"too long", append(bytes.Clone(good), 0), right, "longer than its size"},
		{"a size that is too small", good, change(func(b *Blob) { b.Size-- }), "longer than its size"},
		{"a size that is too large", good, change(func(b *Blob) { b.Size++ }), "size is"},
		{"a negative size", good, change(func(b *Blob) { b.Size = -1 }), "negative"},
		{"a changed byte", flipped, right, "digest is"},
		{"a changed byte, and the digest of that", flipped, change(func(b *Blob) { b.Digest = hashOf(flipped) }), "gzip"},
		{"no trailer", good[:len(good)-8], blobOf(good[:len(good)-8], content), "unexpected EOF"},
		{"half a trailer", good[:len(good)-3], blobOf(good[:len(good)-3], content), "unexpected EOF"},
		{"garbage at the end", append(bytes.Clone(good), "garbage"...), blobOf(append(bytes.Clone(good), "garbage"...), content), "gzip"},
		{"half a zstd frame", zstded(t, content)[:1000], blobOf(zstded(t, content)[:1000], content), "unexpected EOF"},
		{"xz", []byte("\xfd7zXZ\x00..."), blobOf([]byte("\xfd7zXZ\x00..."), content), "xz: not a compression"},
		{"bzip2", []byte("BZh91AY"), blobOf([]byte("BZh91AY"), content), "bzip2: not a compression"},
		{"an algorithm that nobody knows", good, change(func(b *Blob) { b.Digest.Algorithm = "md5" }), "md5"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(c.blob, c.want)
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(c.err)) {
				t.Errorf("got error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestOpenReportsTheBlobsReader(t *testing.T) {
	broken := errors.New("connection lost")
	content := noise(5 << 20)
	r, err := Open(context.Background(), io.MultiReader(bytes.NewReader(content[:3<<20]), iotest.ErrReader(broken)), blobOf(content, content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Verify(); !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
}

func TestCloseBeforeTheEnd(t *testing.T) {
	content := noise(20 << 20)
	source := &counting{r: bytes.NewReader(content)}
	r, err := Open(context.Background(), source, blobOf(content, content))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); !errors.Is(err, ErrNotVerified) {
		t.Errorf("got error %v, want %v", err, ErrNotVerified)
	}
	if read := source.n; read > 15<<20 {
		t.Errorf("%d bytes were read ahead", read)
	}
}

func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	content := noise(20 << 20)
	r, err := Open(ctx, bytes.NewReader(content), blobOf(content, content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if err := r.Verify(); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
