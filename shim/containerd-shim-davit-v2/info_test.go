package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// runProgram runs the program, which must say nothing on standard error.
func runProgram(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd, errors := exec.Command(path, args...), bytes.Buffer{}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &errors
	out, err := cmd.Output()
	if err != nil || errors.Len() > 0 {
		t.Fatalf("%v: %v: %s", args, err, errors.String())
	}
	return out
}

// -info says what the runtime can do, the one that the options name.
func TestInfo(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	for path, answer := range map[string]string{other: `{"ociVersionMax":"9.9.9"}`, other + "-silent": ""} {
		script := "#!/bin/sh\n[ \"$*\" = features ] && echo '" + answer + "'\n"
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		options *api.Options
		want    string // the newest version of the specification
	}{
		{"nothing is asked", nil, "1.3.0"},
		{"options", &api.Options{}, "1.3.0"},
		{"another runtime", &api.Options{BinaryName: other}, "9.9.9"},
		{"one that does not say", &api.Options{BinaryName: other + "-silent"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdin []byte
			if c.options != nil {
				stdin = protobuf.Marshal(protobuf.Pack(api.OptionsName, c.options))
			}
			info := api.RuntimeInfo{}
			if err := protobuf.Unmarshal(runProgram(t, stdin, "-info"), &info); err != nil {
				t.Fatal(err)
			}
			features := struct{ OCIVersionMax string }{}
			if info.Features != nil {
				if err := json.Unmarshal(info.Features.Value, &features); err != nil || info.Features.TypeURL != api.FeaturesName {
					t.Errorf("the features are a %s: %v", info.Features.TypeURL, err)
				}
			}
			if info.Name != name || info.Version.Version == "" || features.OCIVersionMax != c.want || (info.Options != nil) != (c.options != nil) {
				t.Errorf("got %s %s with options %v, up to version %q of the specification, want %q",
					info.Name, info.Version.Version, info.Options, features.OCIVersionMax, c.want)
			}
		})
	}
}

// The flags are those of every version of containerd.
func TestCommandLine(t *testing.T) {
	c, err := parse(strings.Fields("-namespace n -address a -publish-binary p -id i -bundle b -socket s -debug-socket d -debug start"))
	if want := (call{namespace: "n", id: "i", address: "a", bundle: "b", debug: true, action: "start"}); err != nil || *c != want {
		t.Errorf("got %+v, %v, want %+v", c, err, want)
	}
	if out := runProgram(t, nil, "-v"); !strings.Contains(string(out), "Version:") {
		t.Errorf("-v printed %q", out)
	}
	for _, args := range []string{"-id i start", "-namespace n start", "-namespace n -id i stop", "-unknown"} {
		c, err := parse(strings.Fields(args))
		if err == nil {
			err = c.run()
		}
		if err == nil {
			t.Errorf("%s is no error", args)
		}
	}
}
