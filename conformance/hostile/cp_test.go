package hostile

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// pid is a container's first process.
func (l *lab) pid(name string) string { return l.want("inspect", "--format", "{{.State.Pid}}", name) }

// copies does all that cp can with a directory d of a container, and looks for the
// canary's secret in what came out.
func (l *lab) copies(name string) {
	l.t.Helper()
	out, err := os.MkdirTemp(l.dir, "out-")
	l.must(err)
	defer os.RemoveAll(out)
	in := filepath.Join(l.dir, "in")
	l.must(os.MkdirAll(in, 0o755))
	l.must(os.WriteFile(in+"/file", []byte("from the host"), 0o644))
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	l.must(w.WriteHeader(&tar.Header{Name: "file", Mode: 0o666}))
	l.must(w.Close())
	_, _ = l.shim("cp", name+":/d/file", out+"/one") // each may fail: the name is another at any time
	_, _ = l.shim("cp", "-L", name+":/d/file", out+"/two")
	_, _ = l.shim("cp", "-a", name+":/d", out+"/tree")
	_, _ = l.shim("cp", in+"/file", name+":/d/file")
	_, _ = l.shim("cp", "-a", in+"/.", name+":/d")
	_, _ = l.with(func(cmd *exec.Cmd) { cmd.Stdin = bytes.NewReader(archive.Bytes()) }, "cp", "-", name+":/d")
	packed, _ := l.shim("cp", "-L", name+":/d/file", "-")
	found, _ := exec.Command("grep", "-rl", secret, out).Output()
	if len(found) > 0 || strings.Contains(packed, secret) {
		l.t.Fatalf("the host's file was read: %s", found)
	}
}

// TestCopyRaced: cp, while the container exchanges the directory for a link to the
// host's.
// CVE-2018-15664, CVE-2021-41089, CVE-2019-18466.
func TestCopyRaced(t *testing.T) {
	l := newLab(t)
	l.image("box", nil)
	l.lasting("running", "box")
	l.want("exec", "running", "sh", "-c", "mkdir /d; echo inside >/d/file; ln -s "+l.canary+" /l")
	root := "/proc/" + l.pid("running") + "/root"
	l.exchange(root+"/d", root+"/l", func() { l.copies("running") })
}

// TestCopyWithVolumes: the names that volumes are mounted on are links to the host,
// or are exchanged for such, while cp opens a container that does not run.
// CVE-2026-42306.
func TestCopyWithVolumes(t *testing.T) {
	l := newLab(t)
	source := filepath.Join(l.dir, "source")
	l.must(os.Mkdir(source, 0o755))
	l.must(os.WriteFile(source+"/mine", nil, 0o644))
	l.image("box", nil, file("d/file", "inside", 0o644), file("e/sub/file", "inside", 0o644), link("l", l.canary))
	l.want("create", "--network", "none", "--name", "linked", "-v", source+":/l/made", "-v", source+":/l", "box", "true")
	l.copies("linked")
	l.want("create", "--network", "none", "--name", "raced", "-v", source+":/e/sub", "box", "true")
	l.want("start", "raced")
	l.want("wait", "raced")
	upper := l.upper("raced")
	l.must(os.MkdirAll(upper+"/e/sub", 0o755))
	l.must(os.Symlink(l.canary, upper+"/m"))
	l.exchange(upper+"/e", upper+"/m", func() {
		l.copies("raced")
		if seen, _ := l.shim("cp", "raced:/e/.", "-"); strings.Contains(seen, secret) {
			t.Fatal("the host's file was read")
		}
	})
}

// upper is a container's writable layer.
func (l *lab) upper(name string) string {
	l.t.Helper()
	id := l.want("inspect", "--format", "{{.Id}}", name)
	found, err := filepath.Glob(filepath.Join(l.root(), "containers", id, "bundle", "*", "upper"))
	if err != nil || len(found) != 1 {
		found, _ = filepath.Glob(filepath.Join(l.root(), "containers", id, "bundle", "upper"))
	}
	if len(found) != 1 {
		l.t.Fatalf("no writable layer of %s: %v", name, found)
	}
	return found[0]
}

// traps are programs and libraries of an image which say when they are executed.
func (l *lab) traps() (entries []*tar.Header) {
	trap := fmt.Sprintf("#!/bin/sh\necho trapped >>%s/file\n", l.canary)
	for _, program := range strings.Fields("tar xz unxz gzip gunzip unpigz bzip2 zstd ps nsenter git getent id newuidmap") {
		for _, dir := range []string{"usr/local/sbin/", "usr/bin/", "sbin/"} {
			entries = append(entries, file(dir+program, trap, 0o755))
		}
	}
	for _, library := range strings.Fields("libc.so.6 libnss_files.so.2 libnss_compat.so.2 libpthread.so.0 libresolv.so.2") {
		entries = append(entries, file("lib/x86_64-linux-gnu/"+library, "no library", 0o755))
	}
	return append(entries, file("etc/passwd", "app:x:1000:1000::/:/bin/sh\n", 0o644), file("etc/nsswitch.conf", "passwd: files evil\n", 0o644), file("d/file", "inside", 0o644))
}

// TestNothingIsExecuted: what reads or writes a container's files executes nothing,
// enters no root, and the program loads nothing that it was not built of. All archives
// are unpacked in the process.
// CVE-2019-14271, CVE-2026-41567.
func TestNothingIsExecuted(t *testing.T) {
	l := newLab(t)
	l.image("box", nil, l.traps()...)
	l.lasting("running", "box")
	l.want("create", "--network", "none", "--name", "created", "box", "true")
	archive := l.compressed()
	for _, name := range []string{"running", "created"} {
		for _, args := range [][]string{
			{"cp", name + ":/d", l.dir + "/out-" + name}, {"cp", "-a", l.canary, name + ":/d"}, {"cp", name + ":/d", "-"},
			{"diff", name}, {"export", "-o", l.dir + "/" + name + ".tar", name}, {"commit", name, "committed"},
		} {
			l.noExec(nil, args...)
		}
		l.noExec(func(cmd *exec.Cmd) { cmd.Stdin = bytes.NewReader(archive["xz"]) }, "cp", "-", name+":/d")
	}
	for _, kind := range []string{"gzip", "zstd"} {
		data, path := archive[kind], filepath.Join(l.dir, "archive."+kind)
		l.must(os.WriteFile(path, data, 0o600))
		l.noExec(nil, "import", path, "imported-"+kind)
	}
	program, err := elf.Open(l.program)
	l.must(err)
	defer program.Close()
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 || program.Section(".interp") != nil {
		t.Errorf("the program is not static: %q, %v", libraries, err)
	}
}

// noExec wants a command to execute nothing.
func (l *lab) noExec(change func(*exec.Cmd), args ...string) {
	l.t.Helper()
	for _, line := range l.executed(change, args...) {
		l.t.Errorf("davit-shim %s: %s", strings.Join(args, " "), line)
	}
}

// compressed is an archive in several compressions.
func (l *lab) compressed() map[string][]byte {
	l.t.Helper()
	all := map[string][]byte{}
	plain := l.archive(nil)
	for _, program := range []string{"gzip", "bzip2", "xz", "zstd"} {
		cmd := exec.Command(needs.Program(l.t, program), "-c")
		cmd.Stdin = bytes.NewReader(plain)
		out, err := cmd.Output()
		l.must(err)
		all[program] = out
	}
	return all
}

// TestTop: the processes of a container are listed from the host's proc alone.
// CVE-2022-1227.
func TestTop(t *testing.T) {
	l := newLab(t)
	l.image("box", nil, l.traps()...)
	l.lasting("running", "box")
	l.noExec(nil, "top", "running")
	l.noExec(nil, "top", "running", "-o", "pid,user,cmd")
	l.noExec(nil, "stats", "--no-stream", "running")
	if out := l.want("top", "running"); !strings.Contains(out, "sleep 100000") {
		t.Errorf("top prints %s", out)
	}
}
