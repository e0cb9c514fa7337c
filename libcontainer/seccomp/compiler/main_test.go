//go:build cgo && linux

package main

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/libseccomp"
)

// profile is a sound one; it names a call that no library knows.
func profile() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdirat", "frobnicate"}, Action: specs.ActErrno}},
	}
}

func TestCompile(t *testing.T) {
	canonical := seccomp.Canonical(profile(), seccomp.SkipUnknownNames)
	var out bytes.Buffer
	if err := compile(bytes.NewReader(canonical), &out); err != nil {
		t.Fatal(err)
	}
	got, err := seccomp.Decode(out.Bytes(), sha256.Sum256(canonical))
	if err != nil {
		t.Fatal(err)
	}
	want, err := libseccomp.Compile(profile(), seccomp.SkipUnknownNames)
	if err != nil || !bytes.Equal(got.Program, want.Program) || got.Flags != want.Flags {
		t.Errorf("got %+v, want %+v, %v", got, want, err)
	}
}

func TestErrors(t *testing.T) {
	good := string(seccomp.Canonical(profile(), seccomp.SkipUnknownNames))
	tests := []struct {
		name  string
		stdin string
		want  string // how the error begins
	}{
		{"empty", "", "reading the profile: EOF"},
		{"not JSON", "x", "reading the profile: invalid character 'x' looking for beginning of value"},
		{"another format", strings.Replace(good, `"format":1`, `"format":7`, 1), "the profile has format 7 for "},
		{"another machine", strings.Replace(good, `"native":"`, `"native":"X`, 1), "the profile has format 1 for X"},
		{"unknown field", strings.Replace(good, `"format"`, `"x":1,"format"`, 1), `reading the profile: json: unknown field "x"`},
		{"no profile", `{"format":1,"native":"` + string(seccomp.NativeArch()) + `"}`, "the profile is empty"},
		{"too large", strings.Repeat(" ", seccomp.MaxCanonical+1), "the profile has more than 1048576 bytes"},
		{"a fault", strings.Replace(good, "SCMP_ACT_ERRNO", "SCMP_ACT_X", 1), "config.json: linux.seccomp.syscalls[0].action: unknown action"},
		{"an unknown name", string(seccomp.Canonical(profile(), seccomp.FailUnknownNames)), "config.json: linux.seccomp.syscalls[0].names[1]: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := compile(strings.NewReader(test.stdin), &out)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %d bytes", out.Len())
			}
		})
	}
}

func TestArguments(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"--version"}, nil, &out); err != nil || out.String() != libseccomp.Version()+"\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := run([]string{"--what"}, nil, &out); err == nil || err.Error() != `unknown argument "--what"` {
		t.Errorf("got %v", err)
	}
}
