package treecopy

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scene is a container in which somebody exchanges a directory for a link to the
// host's, and back, all the time.
type scene struct {
	root, canary string
	swaps        atomic.Int64
}

// newScene begins the exchange of d, which has the file f.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{canary: tree(t, "f=host", "sub/")}
	if err := os.Chmod(s.canary+"/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	s.root = tree(t, "d/", "d/f=container", "d/sub/", "l->"+s.canary)
	dir, err := os.Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if unix.Renameat2(int(dir.Fd()), "d", int(dir.Fd()), "l", unix.RENAME_EXCHANGE) == nil {
				s.swaps.Add(1)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done; dir.Close() })
	return s
}

// harmed says what became of the host.
func (s *scene) harmed(t *testing.T) string {
	t.Helper()
	if got := strings.Join(list(t, s.canary), " "); got != "f=host sub/" {
		return "its files are " + got
	}
	if fi, err := os.Stat(s.canary + "/sub"); err != nil || fi.Mode().Perm() != 0o700 {
		return "a directory's mode is " + fi.Mode().String()
	}
	return ""
}

// attempt is a way to copy, and says what it brought out.
type attempt struct {
	name  string
	ours  func(t *testing.T, s *scene) (brought string)
	naive func(t *testing.T, s *scene) (brought string) // as it should not be done
}

// attempts are the published ways.
func attempts(host, in func(*scene) Place) []attempt {
	copied := func(t *testing.T, from Place, src string, to Place, dst string) {
		if _, err := Copy(t.Context(), from, src, to, dst, Options{Follow: true}); err != nil && !strings.Contains(err.Error(), "cannot overwrite") &&
			!errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOTDIR) {
			t.Fatal(err)
		}
	}
	return []attempt{
		{
			"CVE-2018-15664: reading",
			func(t *testing.T, s *scene) string {
				dst := filepath.Join(t.TempDir(), "out")
				copied(t, in(s), "/d/f", host(s), dst)
				data, _ := os.ReadFile(dst)
				return string(data)
			},
			func(t *testing.T, s *scene) string {
				data, _ := os.ReadFile(checked(s.root, "/d/f"))
				return string(data)
			},
		}, {
			"CVE-2018-15664: writing",
			func(t *testing.T, s *scene) string {
				copied(t, host(s), tree(t, "f=container")+"/f", in(s), "/d/f")
				return ""
			},
			func(t *testing.T, s *scene) string {
				if path := checked(s.root, "/d/f"); path != "" {
					os.WriteFile(path, []byte("container"), 0o644)
				}
				return ""
			},
		}, {
			"CVE-2021-41089: modes",
			func(t *testing.T, s *scene) string {
				copied(t, host(s), tree(t, "sub/", "sub/f=container")+"/.", in(s), "/d")
				return ""
			},
			func(t *testing.T, s *scene) string {
				if path := checked(s.root, "/d/sub"); path != "" {
					os.Chmod(path, 0o755)
				}
				return ""
			},
		}, {
			"CVE-2018-15664: a tree",
			func(t *testing.T, s *scene) string {
				dst := t.TempDir()
				copied(t, in(s), "/.", host(s), dst)
				for _, name := range []string{"d", "l"} {
					if fi, err := os.Lstat(dst + "/" + name); err == nil && fi.IsDir() {
						if data, _ := os.ReadFile(dst + "/" + name + "/f"); string(data) == "host" {
							return "host"
						}
					}
				}
				return ""
			},
			func(t *testing.T, s *scene) string {
				if fi, err := os.Lstat(s.root + "/d"); err != nil || !fi.IsDir() {
					return ""
				}
				data, _ := os.ReadFile(s.root + "/d/f")
				return string(data)
			},
		},
	}
}

// checked is a path below root as it was when it was looked at; "" where it was
// outside. It is what the vulnerable programs did.
func checked(root, path string) string {
	real, err := filepath.EvalSymlinks(root + path)
	if err != nil || !strings.HasPrefix(real, root+"/") {
		return ""
	}
	return root + path
}

// TestRaces: as long as somebody exchanges directories for links, nothing of the
// host is read or changed, in a time in which a copy by names is seen to do it.
func TestRaces(t *testing.T) {
	h := host(t)
	for _, a := range attempts(func(*scene) Place { return h }, func(s *scene) Place { return inside(t, s.root) }) {
		t.Run(a.name, func(t *testing.T) {
			s := newScene(t)
			begun := time.Now()
			for rounds := 0; ; rounds++ {
				if brought := a.naive(t, s); brought == "host" || s.harmed(t) != "" {
					break
				}
				if time.Since(begun) > 20*time.Second {
					t.Fatalf("the attack does not work: %d swaps in %d rounds", s.swaps.Load(), rounds)
				}
			}
			enough := time.Now().Add(max(time.Second, min(10*time.Since(begun), 5*time.Second)))
			s = newScene(t)
			for time.Now().Before(enough) {
				if brought := a.ours(t, s); brought == "host" {
					t.Fatal("a file of the host was read")
				}
				if harm := s.harmed(t); harm != "" {
					t.Fatal("the host was harmed: " + harm)
				}
			}
			if s.swaps.Load() < 100 {
				t.Errorf("only %d swaps", s.swaps.Load())
			}
		})
	}
}
