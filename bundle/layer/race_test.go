package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/davit-containers/davit/conformance/treetest"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
)

// attackerEnv makes this test's program the attacker: a process of its own that
// may write below the directory that layers are unpacked into.
const attackerEnv = "LAYER_TEST_ATTACK"

func TestMain(m *testing.M) {
	if name, dir, found := strings.Cut(os.Getenv(attackerEnv), ":"); found {
		for parent := os.Getppid(); os.Getppid() == parent; {
			attacks[name](filepath.Join(dir, "root"), filepath.Join(dir, "canary"), filepath.Join(dir, "links"))
		}
	}
	if at := os.Getenv(insideEnv); at != "" {
		os.Exit(unpackInside(at))
	}
	os.Exit(guard.Run(m.Run))
}

// attacks are what an attacker does again and again. Each works on what
// raceLayers make, with links made in a directory beside.
var attacks = map[string]func(root, canary, links string){
	"directories become links": func(root, canary, links string) {
		_ = os.Symlink(canary, filepath.Join(links, "l"))
		for _, at := range append(glob(filepath.Join(root, asideName+"*", "swap")), filepath.Join(root, "swap")) {
			exchange(filepath.Join(links, "l"), at)
			exchange(filepath.Join(links, "l"), at)
		}
	},
	"directories are replaced by links": func(root, canary, links string) {
		_ = os.Symlink(canary, filepath.Join(links, "l"))
		for _, at := range append(glob(filepath.Join(root, asideName+"*", "swap")), filepath.Join(root, "swap")) {
			if exchange(filepath.Join(links, "l"), at) {
				_ = os.Rename(filepath.Join(links, "l"), filepath.Join(links, fmt.Sprint(time.Now().UnixNano())))
			}
		}
	},
	"files become hard links": func(root, canary, links string) {
		for _, name := range []string{"link", "fifo", "file"} {
			_ = os.Link(filepath.Join(canary, "file"), filepath.Join(links, "h"))
			_ = os.Rename(filepath.Join(links, "h"), filepath.Join(root, name))
			for _, stage := range glob(filepath.Join(root, asideName+"*")) {
				_ = os.Link(filepath.Join(canary, "file"), filepath.Join(links, "h"))
				_ = os.Rename(filepath.Join(links, "h"), filepath.Join(stage, name))
			}
		}
	},
	"files are links before they are made": func(root, canary, links string) {
		for _, dir := range append(glob(filepath.Join(root, asideName+"*")), root) {
			_ = os.Symlink(filepath.Join(canary, "file"), filepath.Join(dir, "new"))
		}
	},
}

func exchange(a, b string) bool {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// raceLayers have much to do with what is attacked.
func raceLayers(t testing.TB) [][]byte {
	lower := []Item{Dir("."), Dir("swap").Owner(7, 7), File("swap/gone", ""), File("swap/f", "")}
	var upper []Item
	for range 20 {
		upper = append(upper,
			Dir("swap").Mode(0o777).Owner(7, 7), Dir("swap/sub").Mode(0o777).Owner(7, 7), File("swap/sub/x", "x"),
			File("swap/added", "x").Owner(7, 7), Symlink("link", "x").Owner(7, 7), Fifo("fifo").Mode(0o4777).Owner(7, 7), Link("swap/hard", "swap/added"),
		)
		upper = append(upper, File("swap", "no directory"))
	}
	upper = append(upper, Dir("swap").Mode(0o777).Owner(7, 7), Whiteout("swap/gone"), File("swap/f", "f"), File("new", "written").Owner(7, 7).Mode(0o4777), File("file", "").Owner(7, 7))
	return [][]byte{Tar(t, lower...), Tar(t, upper...)}
}

// raced unpacks again and again beside an attacker, into an empty directory each
// time, until something outside changed.
func raced(t *testing.T, attack string, unpack func(root string) error) (rounds, failed int, differences []string) {
	t.Helper()
	base, err := guard.Memory() // In memory there are more rounds.
	if err != nil {
		base = t.TempDir()
	}
	defer os.RemoveAll(base)
	canary := filepath.Join(base, "canary")
	for _, dir := range []string{canary, filepath.Join(base, "links"), filepath.Join(base, "done")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	Make(t, canary, Dir("."), Dir("sub"), File("file", "canary").Mode(0o600), File("sub/x", "canary"))
	before := Read(t, canary)
	attacker := exec.Command("/proc/self/exe")
	attacker.Env = []string{attackerEnv + "=" + attack + ":" + base}
	if err := attacker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		attacker.Process.Kill()
		attacker.Wait()
	}()
	root := filepath.Join(base, "root")
	for end := time.Now().Add(raceTime); time.Now().Before(end) && len(differences) == 0; rounds++ {
		if err := os.Mkdir(root, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unpack(root); err != nil {
			failed++
		}
		differences = Compare(Read(t, canary), before, IgnoreFields(FieldLinks))
		if err := os.Rename(root, filepath.Join(base, "done", fmt.Sprint(rounds))); err != nil {
			t.Fatal(err)
		}
	}
	return rounds, failed, differences
}

const raceTime = time.Second

// raceForms unpack in both forms.
var raceForms = map[string]func(dir *os.File, layers [][]byte) error{
	"overlay": func(dir *os.File, layers [][]byte) error {
		u, err := Unpack(context.Background(), dir, bytes.NewReader(layers[1]), Options{})
		if err != nil {
			return err
		}
		_, err = u.Settle(context.Background(), nil)
		return err
	},
	"plain": func(dir *os.File, layers [][]byte) error {
		p := NewPlain(dir, Options{})
		if err := p.Apply(context.Background(), bytes.NewReader(layers[0])); err != nil {
			return err
		}
		return p.Apply(context.Background(), bytes.NewReader(layers[1]))
	},
}

// CVE-2025-47290, CVE-2021-32760: what is unpacked is swapped meanwhile.
func TestSwappedMeanwhile(t *testing.T) {
	needRoot(t)
	layers := raceLayers(t)
	for form, unpack := range raceForms {
		for attack := range attacks {
			t.Run(form+", "+attack, func(t *testing.T) {
				rounds, failed, differences := raced(t, attack, func(root string) error {
					dir, err := os.Open(root)
					if err != nil {
						return err
					}
					defer dir.Close()
					return unpack(dir, layers)
				})
				t.Logf("%d rounds, of which %d were disturbed", rounds, failed)
				if len(differences) > 0 {
					t.Errorf("outside, this changed:\n\t%s", strings.Join(differences, "\n\t"))
				}
				if failed == 0 {
					t.Errorf("of %d rounds none was disturbed: the attacker did not attack", rounds)
				}
			})
		}
	}
}

// TestSwappingShows lets an unpacker that goes by paths be attacked: the test
// above can see what goes wrong.
func TestSwappingShows(t *testing.T) {
	needRoot(t)
	archive := raceLayers(t)[1]
	for attack := range attacks {
		shown := false
		for round := 0; round < mostRounds && !shown; round++ {
			_, _, differences := raced(t, attack, func(root string) error { return naive(root, archive) })
			shown = len(differences) > 0
		}
		if !shown {
			t.Errorf("%s: an unpacker that goes by paths changed nothing outside in %d rounds", attack, mostRounds)
		}
	}
}

// mostRounds is how often the attack is given a chance: on a machine that has
// other work, the attacker may not get a turn in the moment that counts.
const mostRounds = 50

// naive unpacks by paths.
func naive(root string, archive []byte) error {
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err != nil {
			return err
		}
		at := filepath.Join(root, h.Name)
		_ = os.MkdirAll(filepath.Dir(at), 0o755)
		switch h.Typeflag {
		case tar.TypeDir:
			_ = os.Mkdir(at, 0o755)
		case tar.TypeReg:
			if f, err := os.Create(at); err == nil {
				_, _ = io.Copy(f, r)
				f.Close()
			}
		case tar.TypeSymlink:
			_ = os.Symlink(h.Linkname, at)
		}
		_ = os.Lchown(at, h.Uid, h.Gid)
		_ = os.Chmod(at, h.FileInfo().Mode())
	}
}

// TestRemovedMeanwhile swaps a directory with a link while it is removed.
func TestRemovedMeanwhile(t *testing.T) {
	base, err := guard.Memory()
	if err != nil {
		base = t.TempDir()
	}
	defer os.RemoveAll(base)
	dir := openDir(t, base)
	canary, link, at := filepath.Join(base, "canary"), filepath.Join(base, "link"), filepath.Join(base, "d")
	Make(t, canary, Dir("sub"), File("sub/x", ""), File("file", ""))
	before := Read(t, canary)
	if err := os.Symlink(canary, link); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				exchange(link, at)
			}
		}
	}()
	rounds := 0
	for end := time.Now().Add(raceTime); time.Now().Before(end); rounds++ {
		made := filepath.Join(base, fmt.Sprint(rounds))
		_ = os.Mkdir(made, 0o700)
		_ = os.WriteFile(filepath.Join(made, "file"), nil, 0o600)
		_ = os.Rename(made, at)
		_ = removeAll(int(dir.Fd()), "d")
		if st, err := os.Lstat(link); err != nil || st.Mode().IsDir() {
			_ = removeAll(int(dir.Fd()), "link")
			_ = os.Symlink(canary, link)
		}
	}
	close(stop)
	<-stopped
	if differences := Compare(Read(t, canary), before); len(differences) > 0 {
		t.Errorf("after %d rounds, this changed outside:\n\t%s", rounds, strings.Join(differences, "\n\t"))
	}
}
