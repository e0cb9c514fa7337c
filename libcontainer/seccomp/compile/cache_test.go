package compile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// marked is a filter that no compiler makes, so that a hit shows.
func marked(program string) seccomp.Filter {
	return seccomp.Filter{Program: []byte(program), Flags: 4}
}

// entry is a place in a new cache.
func entry(t testing.TB, name string) cacheEntry {
	return cacheEntry{filepath.Join(t.TempDir(), "cache"), strings.Repeat(name, 64), stamp([32]byte{1})}
}

func TestCacheRoundTrip(t *testing.T) {
	e := entry(t, "a")
	if _, ok := e.load(); ok {
		t.Error("found in a cache that does not exist")
	}
	e.store(marked("eight by"))
	got, ok := e.load()
	if !ok || string(got.Program) != "eight by" || got.Flags != 4 {
		t.Errorf("got %+v, %v", got, ok)
	}
	for path, want := range map[string]os.FileMode{e.dir: 0o700 | os.ModeDir, filepath.Join(e.dir, e.key): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if names, _ := os.ReadDir(e.dir); len(names) != 1 {
		t.Errorf("got %v", names)
	}
}

func TestNoCache(t *testing.T) {
	e := cacheEntry{key: "x"}
	e.store(marked("eight by"))
	if _, ok := e.load(); ok {
		t.Error("found without a cache")
	}
}

// TestCacheRefusesAndReplaces: whatever stands in an entry's place is not
// taken, harms nobody, and makes room for the next entry.
func TestCacheRefusesAndReplaces(t *testing.T) {
	write := func(data []byte, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := errors.Join(os.WriteFile(path, data, 0o600), os.Chmod(path, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sound := marked("eight by").Encode(entry(t, "a").stamp)
	damaged := bytes.Clone(sound)
	damaged[len(damaged)-1] ^= 1
	tests := []struct {
		name  string
		place func(*testing.T, string)
	}{
		{"empty", write(nil, 0o600)},
		{"garbage", write([]byte("garbage"), 0o600)},
		{"truncated", write(sound[:len(sound)-1], 0o600)},
		{"longer", write(append(bytes.Clone(sound), 0), 0o600)},
		{"damaged", write(damaged, 0o600)},
		{"another stamp", write(marked("eight by").Encode([32]byte{7}), 0o600)},
		{"too large", write(make([]byte, seccomp.MaxEncoded+1), 0o600)},
		{"writable by the group", write(sound, 0o620)},
		{"writable by all", write(sound, 0o602)},
		{"a symbolic link to a sound file", func(t *testing.T, path string) {
			write(sound, 0o600)(t, path+".real")
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"a FIFO", func(t *testing.T, path string) {
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"somebody else's", func(t *testing.T, path string) {
			write(sound, 0o600)(t, path)
			if err := os.Chown(path, 12345, -1); err != nil {
				t.Skipf("changing the owner needs CAP_CHOWN: %v", err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := entry(t, "a")
			if err := os.Mkdir(e.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.place(t, filepath.Join(e.dir, e.key))
			if _, ok := e.load(); ok {
				t.Error("it was taken")
			}
			e.store(marked("replaced"))
			if got, ok := e.load(); !ok || string(got.Program) != "replaced" {
				t.Errorf("not replaced: got %+v, %v", got, ok)
			}
		})
	}
}

// TestUnusableCache: the filter comes all the same.
func TestUnusableCache(t *testing.T) {
	needCompiler(t)
	tests := []struct {
		name string
		dir  func(*testing.T) string
	}{
		{"no parent", func(t *testing.T) string { return filepath.Join(t.TempDir(), "a", "b") }},
		{"a file", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"a directory for everybody", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "dir")
			if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"a link", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(t.TempDir(), path); err != nil {
				t.Fatal(err)
			}
			return path
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := test.dir(t)
			filter, err := Load(allowing(specs.ActErrno, nil, "mkdirat"), dir)
			if err != nil || filter.Empty() {
				t.Errorf("got %d bytes, %v", len(filter.Program), err)
			}
			if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
				t.Errorf("stored %v", names)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	e := entry(t, "a")
	name := func(i int) string { return fmt.Sprintf("%064x", i) }
	start := time.Now().Add(-time.Hour)
	for i := range maxEntries {
		e.key = name(i)
		e.store(marked("eight by"))
		if err := os.Chtimes(filepath.Join(e.dir, e.key), time.Time{}, start.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	leftover := name(1000) + ".XYZ" // of a process that was killed, oldest of all
	for _, foreign := range []string{leftover, "README"} {
		if err := os.WriteFile(filepath.Join(e.dir, foreign), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(e.dir, foreign), time.Time{}, start.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	e.key = name(maxEntries)
	e.store(marked("eight by"))
	for file, want := range map[string]bool{leftover: false, name(0): false, name(1): true, name(maxEntries): true, "README": true} {
		if _, err := os.Stat(filepath.Join(e.dir, file)); (err == nil) != want {
			t.Errorf("%s: got %v, want it to exist: %v", file, err, want)
		}
	}
	if names, _ := os.ReadDir(e.dir); len(names) != maxEntries+1 {
		t.Errorf("got %d files, want %d and README", len(names), maxEntries)
	}
}

func TestLoadUsesTheCache(t *testing.T) {
	needCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	p := readProfile(t, "engine.json")
	first, err := Load(p, dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, seccomp.Key(p))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	canonical := seccomp.Canonical(p, seccomp.SkipUnknownNames)
	e := cacheEntry{dir, seccomp.KeyOf(canonical), stamp(sha256.Sum256(canonical))}
	e.store(marked("eight by"))
	if second, err := Load(p, dir); err != nil || string(second.Program) != "eight by" {
		t.Errorf("not from the cache: got %d bytes, %v", len(second.Program), err)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	third, err := Load(p, dir)
	if err != nil || !bytes.Equal(third.Program, first.Program) || third.Flags != first.Flags || third.Notify != first.Notify {
		t.Errorf("after damage: got %d bytes, %v", len(third.Program), err)
	}
	if _, ok := e.load(); !ok {
		t.Error("the damaged entry was not replaced")
	}
}

func TestStrict(t *testing.T) {
	needCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	p := allowing(specs.ActErrno, nil, "mkdirat", "frobnicate")
	if _, err := Load(p, dir); err != nil {
		t.Fatal(err)
	}
	_, err := LoadStrict(p, dir) // must not find the other's entry
	if err == nil || !strings.Contains(err.Error(), `linux.seccomp.syscalls[0].names[1]`) || !oneLine(err) {
		t.Errorf("got %v", err)
	}
	if _, err := LoadStrict(allowing(specs.ActErrno, nil, "mkdirat"), dir); err != nil {
		t.Error(err)
	}
}

func TestLoadNothing(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{"nil": nil, "empty": {}} {
		if filter, err := Load(p, t.TempDir()); err != nil || !filter.Empty() || filter.Flags != 0 {
			t.Errorf("%s: got %+v, %v", name, filter, err)
		}
	}
}

func TestLoadFaulty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	if filter, err := Load(&specs.LinuxSeccomp{DefaultAction: "x"}, dir); err == nil || !filter.Empty() {
		t.Errorf("got %+v, %v", filter, err)
	}
	if filter, err := LoadStrict(allowing(specs.ActErrno, nil, "frobnicate"), ""); err == nil || !filter.Empty() || filter.Flags != 0 {
		t.Errorf("refused by libseccomp: got %+v, %v", filter, err)
	}
	p := allowing(specs.ActErrno, nil, strings.Repeat("x", seccomp.MaxCanonical))
	if filter, err := Load(p, dir); err == nil || !filter.Empty() || !oneLine(err) {
		t.Errorf("too large: got %+v, %v", filter, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was stored")
	}
}

// TestProcessesShareACache: several processes load, store and evict at once,
// while another damages what it finds.
func TestProcessesShareACache(t *testing.T) {
	needCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	profile, err := json.Marshal(allowing(specs.ActErrno, nil, "mkdirat"))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			cmd := exec.Command("/proc/self/exe", dir)
			cmd.Env = append(os.Environ(), childEnv+"=load")
			cmd.Stdin = bytes.NewReader(profile)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for range 50 {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			_ = os.Truncate(filepath.Join(dir, e.Name()), 50)
		}
		time.Sleep(time.Millisecond)
	}
	group.Wait()
}

func BenchmarkLoad(b *testing.B) {
	needCompiler(b)
	p := readProfile(b, "engine.json")
	dir := filepath.Join(b.TempDir(), "cache")
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			mustLoad(b, p)
		}
	})
	b.Run("hit", func(b *testing.B) {
		for b.Loop() {
			if _, err := Load(p, dir); err != nil {
				b.Fatal(err)
			}
		}
	})
}
