//go:build !cgo

package compile

import (
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

func TestWithoutProgram(t *testing.T) {
	if _, err := programs.Open("bin/compiler"); err == nil {
		t.Skip("this binary has the program")
	}
	_, err := Load(allowing(specs.ActErrno, nil, "mkdirat"), "")
	if !errors.Is(err, ErrNoCompiler) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}

func TestVersionOfProgram(t *testing.T) {
	needCompiler(t)
	if got, err := Version(); err != nil || !strings.HasPrefix(got, "2.") || strings.TrimSpace(got) != got {
		t.Errorf("got %q, %v", got, err)
	}
	if len(compilerID()) <= idLength {
		t.Errorf("the identity has %d bytes", len(compilerID()))
	}
}

// TestProgramErrors: what the program says is passed on, one line and no more.
func TestProgramErrors(t *testing.T) {
	needCompiler(t)
	if _, err := runCompiler(nil, "--what"); err == nil || err.Error() != `unknown argument "--what"` {
		t.Errorf("got %v", err)
	}
	if _, err := runCompiler([]byte("{")); err == nil || err.Error() != "reading the profile: unexpected EOF" {
		t.Errorf("got %v", err)
	}
}

// TestWrongAnswer: the answer must be to this profile.
func TestWrongAnswer(t *testing.T) {
	needCompiler(t)
	canonical := seccomp.Canonical(allowing(specs.ActErrno, nil, "mkdirat"), seccomp.SkipUnknownNames)
	out, err := runCompiler(canonical)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seccomp.Decode(out, sha256.Sum256(canonical[1:])); err != seccomp.ErrEncoding {
		t.Errorf("got %v, want %v", err, seccomp.ErrEncoding)
	}
}

func TestProgramsAreSealed(t *testing.T) {
	tests := []struct {
		name string
		make func() (*os.File, error)
	}{
		{"memory file", func() (*os.File, error) { return sealedProgram(strings.NewReader("#!/bin/true\n")) }},
		{"unlinked file", func() (*os.File, error) { return unlinkedProgram(strings.NewReader("#!/bin/true\n")) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file, err := test.make()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := unix.Write(int(file.Fd()), []byte("x")); err == nil {
				t.Error("it can be written")
			}
			var st unix.Stat_t
			if err := unix.Fstat(int(file.Fd()), &st); err != nil || st.Mode&0o100 == 0 || st.Nlink != 0 {
				t.Errorf("got mode %o, %d links, %v", st.Mode, st.Nlink, err)
			}
		})
	}
}
