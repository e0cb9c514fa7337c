package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// A start answers in the form and the version that its caller knows.
func TestAnswers(t *testing.T) {
	options := protobuf.Pack(api.OptionsName, &api.Options{})
	for _, test := range []struct {
		name    string
		env     []string
		stdin   []byte
		version int // 0 is for the address alone
	}{
		{"containerd 1.6", nil, protobuf.Marshal(options), 0},
		{"containerd 1.7 to 2.2", []string{"MAX_SHIM_VERSION=2"}, protobuf.Marshal(options), 2},
		{"CRI-O", []string{"MAX_SHIM_VERSION=2"}, nil, 2},
		{"a newer one without a message", []string{"MAX_SHIM_VERSION=4"}, nil, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPod(t)
			p.bundle("one", "exit 0")
			out := p.answer("one", test.env, test.stdin)
			p.address = out
			if test.version > 0 {
				answer := struct {
					Version           int
					Address, Protocol string
				}{}
				if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Version != test.version || answer.Protocol != "ttrpc" {
					t.Errorf("answered %q, want version %d: %v", out, test.version, err)
				}
				p.address = answer.Address
			}
			if !strings.HasPrefix(p.address, "unix:///") {
				t.Fatalf("the address is %q", p.address)
			}
			p.supervisor()
			p.do("Shutdown", &api.ShutdownRequest{}, &protobuf.Empty{})
			p.address = ""
		})
	}
}

// answer is what a start prints that has this on standard input.
func (p *pod) answer(id string, env []string, stdin []byte) string {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, "-namespace", "test", "-id", id, "-address", p.dir, "start")
	cmd.Dir = filepath.Join(p.dir, "bundles", id)
	cmd.Env, cmd.Stdin = append(env, "PATH=/usr/bin:/bin"), bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("start: %v: %s", err, out)
	}
	return string(out)
}
