package image

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// names are good and bad ones, from which the fuzzer begins.
var names = []string{
	"", "a", "A", "a/b", "a/B", "B/a", "a:", "a:1", "a:.1", "a:-1", "a:_1", "a:A", "a/b:1@", "a@", "a:1:2", "a/b:1/c", "a:1/c", "a:x/c",
	"a.b/c", "a..b/c", "a__b.c/d", "a__b/d", "a___b", "a_b", "a-b", "a---b", "a.-b", "a.b", "-a", "a-", "a.", "_a", "é", "a b", "a\n", "a/b\n",
	"localhost/a", "localhost:1/a", "LocalHost/a", "docker.io/a", "docker.io/a/b", "index.docker.io/a", "index.docker.io/a/b", "docker.io/", "/a", "a//b", "a/",
	"[::1]/a", "[::1]:5000/a", "[]/a", "[::g]/a", "[::1/a", "::1]/a", "[::1]x/a", "x[::1]/a", "h:/a", "h:a/a", "h.-a/b", "h.a-/b", "h-.a/b", "H.a:1/b", "h:1:2/b",
	"-h.a/b", "h..a/b", ".h/b", "h./b", "a_b.c:1/d", "a@b/c", "a.b@c/d",
	strings.Repeat("0", 64), strings.Repeat("0", 63), strings.Repeat("g", 64), "x/" + strings.Repeat("0", 64),
	strings.Repeat("a", 247), strings.Repeat("a", 248), strings.Repeat("a", 255), strings.Repeat("a", 256), "x.y/" + strings.Repeat("a", 255), "x.y/" + strings.Repeat("a", 256),
	"x__y.z/" + strings.Repeat("a", 247), "x__y.z/" + strings.Repeat("a", 248), "x__y.z/" + strings.Repeat("a", 249),
	"a:" + strings.Repeat("t", 128), "a:" + strings.Repeat("t", 129),
	"a@" + zero, "a:1@" + zero, "a@" + zero + "0", "a@sha256:00", "a@" + strings.ToUpper(zero), "a@" + zero + "@" + zero, "a@" + zero + ":1", "a@sha512:" + strings.Repeat("0", 128), "a@md5:" + strings.Repeat("0", 32),
}

func TestNamesAreDockers(t *testing.T) {
	for _, s := range names {
		compareName(t, s)
	}
}

func FuzzNamesAreDockers(f *testing.F) {
	for _, s := range names {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { compareName(t, s) })
}

// compareName reads a name, and has the library of Docker's own read it.
func compareName(t *testing.T, s string) {
	t.Helper()
	want, wantErr := readByLibrary(s)
	got, err := ParseName(s)
	if (err == nil) != (wantErr == nil) || got != want {
		t.Errorf("%q: got %+v, %v; the library %+v, %v", s, got, err, want, wantErr)
	}
}

func readByLibrary(s string) (Name, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Name{}, err
	}
	n := Name{repository: named.Name()}
	named = reference.TagNameOnly(named)
	if tagged, ok := named.(reference.Tagged); ok {
		n.tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		n.digest = digested.Digest().String()
		if _, err := v1.NewHash(n.digest); err != nil {
			return Name{}, err
		}
	}
	return n, nil
}
