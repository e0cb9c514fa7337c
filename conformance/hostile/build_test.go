package hostile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// context makes a build context.
func (l *lab) context(files map[string]string) string {
	l.t.Helper()
	dir, err := os.MkdirTemp(l.dir, "context-")
	l.must(err)
	for name, text := range files {
		path := filepath.Join(dir, name)
		l.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)))
	}
	return dir
}

// listing is all that is below directories.
func (l *lab) listing(dirs ...string) string {
	l.t.Helper()
	out, err := exec.Command("find", append(dirs, "-printf", "%p %y %s %m %U %T@\n")...).Output()
	l.must(err)
	return string(out)
}

// TestBuildLeavesNothing: what RUN was given of the context and of caches is nowhere
// after the build, and what RUN wrote there is not in the context.
// CVE-2025-4953.
func TestBuildLeavesNothing(t *testing.T) {
	l := newLab(t)
	t.Setenv("TMPDIR", l.context(nil))
	l.image("box", nil)
	dir := l.context(map[string]string{"sub/file": "of the context " + secret + "-2", "Dockerfile": `FROM box
RUN --mount=type=bind,source=sub,target=/c,rw cat /c/file; echo written >/c/file; echo new >/c/new; ln -s /c /kept
RUN --mount=type=bind,target=/all,rw rm /all/sub/file; mkdir /all/dir
RUN --mount=type=bind,source=sub,target=/c false
`})
	before := l.listing(dir, os.Getenv("TMPDIR"))
	if out, err := l.shim("build", dir); err == nil || !strings.Contains(out, "exit code: 1") {
		t.Errorf("%v: %s", err, out)
	}
	if after := l.listing(dir, os.Getenv("TMPDIR")); after != before {
		t.Errorf("the context was\n%sand is\n%s", before, after)
	}
	found, _ := exec.Command("grep", "-rl", secret+"-2", l.root()).Output()
	if left, err := os.ReadDir(filepath.Join(l.root(), "work")); len(found) > 0 || len(left) > 0 || err != nil {
		t.Errorf("the build has left %s %v, %v", found, left, err)
	}
}

// TestBuildsSideBySide: one build exchanges directories of a cache for links to the
// host while others mount them, or parts of them.
// CVE-2024-11218, CVE-2024-23651.
func TestBuildsSideBySide(t *testing.T) {
	l := newLab(t)
	l.image("box", nil)
	attack := l.context(map[string]string{"Dockerfile": `FROM box
RUN --mount=type=cache,id=shared,target=/c mkdir -p /c/sub/deep; i=0; while [ $i -lt 300 ]; do i=$((i+1)); \
	mv /c/sub /c/old; ln -s ` + l.canary + ` /c/sub; rm /c/sub; mv /c/old /c/sub; done
`})
	victim := l.context(map[string]string{"Dockerfile": `FROM box
RUN --mount=type=cache,id=shared,source=sub,target=/m cat /m/file; touch /m/made; ls /m
`, "Other": `FROM box
RUN --mount=type=cache,id=shared,target=/m --mount=type=bind,from=box,source=bin,target=/m/sub/deep cat /m/sub/file; touch /m/sub/made; true
`})
	for range max(1, *rounds/6) {
		var together sync.WaitGroup
		together.Go(func() { _, _ = l.shim("build", "--no-cache", "-q", attack) })
		for range 3 {
			for _, name := range []string{"Dockerfile", "Other"} {
				out, _ := l.shim("build", "--no-cache", "--progress", "plain", "-f", filepath.Join(victim, name), victim)
				if strings.Contains(out, secret) || l.harm() != "" {
					t.Errorf("%s reached the host: %s", name, out)
				}
			}
		}
		together.Wait()
	}
}

// TestBuildExecutesNothing: ADD unpacks archives in its own process, whatever the
// image has in its PATH, and nothing of the stub of a mount is removed that is not
// that stub any more.
// CVE-2026-41567, CVE-2024-23652.
func TestBuildExecutesNothing(t *testing.T) {
	l := newLab(t)
	l.image("box", []string{"ENV PATH=/usr/local/sbin:/usr/bin:/sbin:/bin"}, l.traps()...)
	files := map[string]string{"Dockerfile": "FROM box\nADD a.gzip /a/\nADD a.bzip2 /b/\nADD a.xz /c/\nADD a.zstd /d/\nCOPY --chown=app a.xz /e\nWORKDIR /f\n"}
	for kind, data := range l.compressed() {
		files["a."+kind] = string(data)
	}
	l.noExec(nil, "build", "-q", "-t", "built", l.context(files))
	if out, err := l.run("built", "ls", "/a/bin/busybox", "/b/bin/busybox", "/c/bin/busybox", "/d/bin/busybox"); err != nil {
		t.Errorf("the archives were not unpacked: %s", out)
	}
	out, err := l.with(l.dockerfile("FROM box\nRUN --mount=type=tmpfs,target=/s/d mv /s /t && ln -s "+l.canary+" /s && mkdir -p /t/d\nRUN --mount=type=tmpfs,target=/x/y rm -rf /x 2>/dev/null; ls -l /s\n"), "build", "--no-cache", "-")
	if err != nil {
		t.Error(out)
	}
}
