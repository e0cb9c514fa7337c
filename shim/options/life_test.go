package options

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/shim/container"
)

// lifeOf is what flags come to, over an image's labels and check.
func lifeOf(t *testing.T, image container.Config, args ...string) (container.Config, error) {
	t.Helper()
	var l Life
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	l.Add(fs)
	if err := fs.Parse(args); err != nil {
		return image, err
	}
	return image, l.Config(&image)
}

func TestLife(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labels")
	if err := os.WriteFile(file, []byte("# none\n\na=file\nc=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	timeout := 3
	image := container.Config{Labels: map[string]string{"a": "image", "i": "x"}, Health: &container.Health{Test: []string{"CMD", "look"}, Interval: time.Minute}}
	got, err := lifeOf(t, image, "--name", "n1", "-i", "--rm", "--init", "-l", "a=flag", "--label", "b", "--label-file", file, "--stop-timeout", "3",
		"--log-driver", "json-file", "--log-opt", "max-size=1m", "--detach-keys", "ctrl-x", "--health-retries", "7", "--health-timeout", "2s")
	want := container.Config{
		Name: "n1", Interactive: true, AutoRemove: true, Init: true, StopTimeout: &timeout, DetachKeys: "ctrl-x",
		Labels:  map[string]string{"a": "flag", "b": "", "c": "file", "i": "x"},
		Log:     container.Log{Driver: "json-file", Options: map[string]string{"max-size": "1m"}},
		Restart: container.RestartPolicy{Name: "no"},
		Health:  &container.Health{Test: []string{"CMD", "look"}, Interval: time.Minute, Timeout: 2 * time.Second, StartInterval: 5 * time.Second, Retries: 7},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestDefaults(t *testing.T) {
	got, err := lifeOf(t, container.Config{})
	if err != nil || got.StopTimeout != nil || got.StopAfter() != 10*time.Second || got.Log.Driver != "json-file" || got.Health != nil || got.Restart.Name != "no" {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = lifeOf(t, container.Config{}, "--health-cmd", "look here")
	want := &container.Health{Test: []string{"CMD-SHELL", "look here"}, Interval: 30 * time.Second, Timeout: 30 * time.Second, StartInterval: 5 * time.Second, Retries: 3}
	if err != nil || !reflect.DeepEqual(got.Health, want) {
		t.Errorf("got %+v, %v", got.Health, err)
	}
	for _, off := range []container.Config{{Health: &container.Health{Test: []string{"NONE"}}}, {}} {
		if got, err := lifeOf(t, off, "--health-interval", "1s"); err != nil || got.Health != nil {
			t.Errorf("got %+v, %v", got.Health, err)
		}
	}
}

func TestRestartPolicies(t *testing.T) {
	for text, want := range map[string]container.RestartPolicy{
		"": {Name: "no"}, "no": {Name: "no"}, "always": {Name: "always"}, "unless-stopped": {Name: "unless-stopped"},
		"on-failure": {Name: "on-failure"}, "on-failure:4": {Name: "on-failure", Max: 4},
	} {
		if got, err := Restart(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestWrongLife(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--restart", "often"}, "it is no, always"}, {[]string{"--restart", "always:3"}, "only on-failure"}, {[]string{"--restart", "on-failure:-1"}, "only on-failure"},
		{[]string{"--rm", "--restart", "always"}, "Conflicting options: --restart and --rm"}, {[]string{"--label", "=x"}, "it has no name"},
		{[]string{"--label-file", "/nope"}, "--label-file: open /nope"}, {[]string{"--log-driver", "syslog"}, "it is json-file, journald or none"},
		{[]string{"--log-opt", "x"}, "it is NAME=VALUE"}, {[]string{"--log-opt", "max-file=0"}, "max-file"}, {[]string{"--log-driver", "none", "--log-opt", "max-size=1"}, "max-size"},
		{[]string{"--no-healthcheck", "--health-cmd", "x"}, "conflicts"}, {[]string{"--health-interval", "1us"}, "a millisecond"}, {[]string{"--health-retries", "-1"}, "it is 1 at least"},
	} {
		if _, err := lifeOf(t, container.Config{}, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v", tt.args, err)
		}
	}
}
