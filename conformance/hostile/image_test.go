package hostile

import (
	"archive/tar"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// users are numbers that are none, of each of which the image has a user with root's.
var users = []string{"4294967296", "4294967295", "2147483648", "-1", "+0", " 0", "0x0", "99999999999999999999"}

func passwd() *tar.Header {
	var b strings.Builder
	for _, u := range users {
		b.WriteString(u + ":x:0:0::/:/bin/sh\n")
	}
	return file("etc/passwd", b.String()+"app:x:1000:1000::/:/bin/sh\n", 0o644)
}

// TestUsers: a number that is out of range is an error, and never a name of the
// image's.
// CVE-2024-40635, CVE-2026-46680.
func TestUsers(t *testing.T) {
	l := newLab(t)
	l.image("box", nil, passwd())
	l.lasting("running", "box")
	for _, u := range users[:3] {
		l.image("user", []string{"USER " + u}, passwd())
		if out, err := l.run("user", "id"); err == nil {
			t.Errorf("USER %s ran as %s", u, out)
		}
	}
	for _, u := range users {
		if u == "0x0" {
			continue // is a name, of a user with root's number
		}
		for _, text := range []string{u, "app:" + u} {
			if out, err := l.run("-u", text, "box", "id"); err == nil {
				t.Errorf("run -u %q ran as %s", text, out)
			}
			if out, err := l.shim("exec", "-u", text, "running", "id"); err == nil {
				t.Errorf("exec -u %q ran as %s", text, out)
			}
		}
	}
	if out := l.want("exec", "-u", "app", "running", "id", "-u"); out != "1000" {
		t.Errorf("exec -u app ran as %s", out)
	}
}

// TestEndlessPasswd: files of users that do not end, or never begin, are errors.
// CVE-2026-47262, CVE-2024-9676.
func TestEndlessPasswd(t *testing.T) {
	l := newLab(t)
	l.image("fifo", nil, &tar.Header{Name: "etc/passwd", Typeflag: tar.TypeFifo, Mode: 0o644})
	l.image("zero", nil, link("etc/passwd", "/dev/zero"), link("etc/group", "/dev/zero"))
	l.image("large", nil, file("etc/passwd", strings.Repeat("x", 11<<20)+"\napp:x:1000:1000::/:/bin/sh\n", 0o644))
	for _, name := range []string{"fifo", "zero", "large"} {
		if out, err := l.run("-u", "app", name, "id"); err == nil {
			t.Errorf("run -u app of image %s ran as %s", name, out)
		}
	}
	l.image("box", nil, passwd())
	l.lasting("changing", "box")
	for _, change := range []string{"mkfifo /etc/passwd", "ln -s /dev/zero /etc/passwd", "ln -s /proc/kmsg /etc/passwd"} {
		l.want("exec", "changing", "sh", "-c", "rm /etc/passwd; "+change)
		if out, err := l.shim("exec", "-u", "app", "changing", "id"); err == nil {
			t.Errorf("after %s, exec -u app ran as %s", change, out)
		}
	}
}

// TestLabels: what an image says of itself never reaches those who act on it.
// CVE-2026-53488.
func TestLabels(t *testing.T) {
	l := newLab(t)
	labels := map[string]string{
		"org.systemd.property.ExecStartPre": "['/bin/touch', '" + l.canary + "/made']", "org.criu.config": "/evil", "run.oci.handler": "krun",
		"run.oci.hooks.stderr": l.canary + "/made", "cdi.k8s.io/x": "vendor.com/device=all", "io.podman.annotations.privileged": "TRUE",
	}
	var changes []string
	for name, value := range labels {
		changes = append(changes, "LABEL \""+name+"\"=\""+strings.ReplaceAll(value, `"`, `\"`)+"\"")
	}
	l.image("labelled", changes)
	l.lasting("running", "labelled")
	id := l.want("inspect", "--format", "{{.Id}}", "running")
	data, err := os.ReadFile(filepath.Join(l.root(), "containers", id, "bundle/config.json"))
	l.must(err)
	var spec struct {
		Annotations map[string]string
		Hooks       json.RawMessage
	}
	l.must(json.Unmarshal(data, &spec))
	for name, value := range labels {
		for key, text := range spec.Annotations {
			if key == name || text == value {
				t.Errorf("a label became the annotation %s=%s", key, text)
			}
		}
	}
	if len(spec.Hooks) > 0 || strings.Contains(string(data), "ExecStartPre") {
		t.Errorf("the image's labels are in the configuration: %s", data)
	}
	if got := l.want("inspect", "--format", `{{index .Config.Labels "run.oci.handler"}}`, "running"); got != "krun" {
		t.Errorf("the label is lost: %q", got)
	}
}

// TestEnvironment: a container has the variables that were asked for, and none of the
// caller's; neither have its further processes, checks, and what builds.
// CVE-2020-14370, CVE-2021-3602, CVE-2026-57231.
func TestEnvironment(t *testing.T) {
	l := newLab(t)
	t.Setenv("OF_THE_HOST", secret)
	t.Setenv("LD_PRELOAD_OF_THE_HOST", secret)
	l.image("box", []string{"ENV A=1"})
	out, err := l.run("-e", "B=2", "-h", "name", "box", "env")
	l.must(err)
	got := strings.Fields(out)
	slices.Sort(got)
	if want := "A=1 B=2 HOME=/ HOSTNAME=name PATH="; !strings.HasPrefix(strings.Join(got, " "), want) || len(got) != 5 {
		t.Errorf("the environment is %q", got)
	}
	l.lasting("running", "--health-cmd", "env >/checked; true", "--health-interval", "100ms", "box")
	l.want("exec", "running", "sh", "-c", "while [ ! -s /checked ]; do sleep 0.1; done")
	seen := l.want("exec", "running", "sh", "-c", "env; cat /checked; cat /proc/1/environ")
	built, err := l.with(l.dockerfile("FROM box\nRUN env"), "build", "--no-cache", "--progress", "plain", "-")
	l.must(err)
	if strings.Contains(seen+built, secret) || !strings.Contains(built, "A=1") {
		t.Errorf("the caller's variables are in %s%s", seen, built)
	}
}

// dockerfile gives a command a Dockerfile alone.
func (l *lab) dockerfile(text string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(text) }
}

// TestVolumePaths: a volume of the image begins with files of the image, wherever
// its path leads by dots and links.
// CVE-2022-23648.
func TestVolumePaths(t *testing.T) {
	l := newLab(t)
	up := strings.Repeat("../", 30)
	l.image("box", []string{`VOLUME ["/` + up + l.canary[1:] + `", "/l", "/l/` + up + l.canary[1:] + `", "/r"]`}, link("l", l.canary), link("r", up+l.canary[1:]))
	out, err := l.run("box", "sh", "-c", "cat /l/file /r/file "+l.canary+"/file; echo touched >/l/made; echo touched >"+l.canary+"/made; true")
	if strings.Contains(out, secret) {
		t.Errorf("the host's file is in a volume: %s, %v", out, err)
	}
	l.want("create", "--network", "none", "--name", "created", "box", "true")
	found, _ := exec.Command("grep", "-rl", secret, l.root()).Output()
	if len(found) > 0 {
		t.Errorf("the host's file was copied: %s", found)
	}
}

// TestWorkingDirectory: a working directory that is missing is made in the container,
// where a link leads out of it too.
// CVE-2026-55686, CVE-2024-21626.
func TestWorkingDirectory(t *testing.T) {
	l := newLab(t)
	l.image("box", nil, link("l", l.canary), link("r", strings.Repeat("../", 30)+l.canary[1:]))
	for _, dir := range []string{"/l", "/l/made", "/r/made", "/l/../made", "/proc/self/fd/7", "/proc/1/cwd/made"} {
		out, _ := l.run("-w", dir, "box", "sh", "-c", "cat file ../file")
		l.image("dir", []string{"WORKDIR " + dir}, link("l", l.canary), link("r", strings.Repeat("../", 30)+l.canary[1:]))
		more, _ := l.run("dir", "sh", "-c", "cat file ../file")
		built, _ := l.with(l.dockerfile("FROM box\nWORKDIR "+dir+"\nRUN cat file ../file\n"), "build", "--no-cache", "--progress", "plain", "-")
		if harm := l.harm(); harm != "" || strings.Contains(out+more+built, secret) {
			t.Fatalf("-w %s: %s %s", dir, harm, out)
		}
	}
	l.want("create", "--network", "none", "--name", "raced", "-w", "/e/made", "box", "true")
	l.want("start", "raced")
	l.want("wait", "raced")
	upper := l.upper("raced")
	l.must(os.Symlink(l.canary, upper+"/m"))
	l.exchange(upper+"/e", upper+"/m", func() {
		_, _ = l.shim("start", "raced")
		_, _ = l.shim("wait", "raced")
	})
}
