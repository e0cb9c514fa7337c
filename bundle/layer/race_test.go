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
	"syscall"
	"testing"
	"time"

	. "github.com/davit-containers/davit/bundle/internal/treetest"
	"golang.org/x/sys/unix"
)

// attackerEnv makes this test's program the attacker: a process of its own that
// may write below the directory that layers are unpacked into.
const attackerEnv = "LAYER_TEST_ATTACK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(attackerEnv); dir != "" {
		attack(dir)
		return
	}
	if at := os.Getenv(insideEnv); at != "" {
		os.Exit(unpackInside(at))
	}
	os.Exit(m.Run())
}

// attack swaps, for as long as it lives, directories that the unpacker makes with
// a link to the canary, and files with hard links to the canary's.
func attack(base string) {
	canary, links := filepath.Join(base, "canary"), filepath.Join(base, "links")
	for round := 0; ; round++ {
		for _, root := range []string{"root", "root/d", "root/a/b", "root/l"} {
			at := filepath.Join(base, root)
			link := filepath.Join(links, "l")
			_ = os.Symlink(canary, link)
			_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, filepath.Join(at, "swap"), unix.RENAME_EXCHANGE)
			_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(at, "swap"), unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			hard := filepath.Join(links, "h")
			_ = os.Link(filepath.Join(canary, "file"), hard)
			for _, name := range []string{"link", "fifo", "file"} {
				_ = unix.Renameat2(unix.AT_FDCWD, hard, unix.AT_FDCWD, filepath.Join(at, name), unix.RENAME_EXCHANGE)
			}
			// What came back must be no link of the canary's next time.
			if st, err := os.Lstat(hard); err == nil && !st.Mode().IsRegular() {
				_ = os.Remove(hard)
			}
			for _, stage := range glob(filepath.Join(base, root, asideName+"*")) {
				swap(filepath.Join(stage, "swap"), link, canary)
			}
			swap(filepath.Join(at, "swap"), link, canary)
		}
	}
}

// swap puts a link to the canary in the place of a directory, and back.
func swap(at, link, canary string) {
	_ = os.Symlink(canary, link)
	_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
	_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// raceLayer has much to do in the directories that are swapped.
func raceLayer(t testing.TB) []byte {
	var items []Item
	for _, d := range []string{"", "d/", "a/b/", "l/"} {
		items = append(items, Dir(d+"swap").Mode(0o700).Owner(7, 7), File(d+"swap/sub/x", "x").Mode(0o777).Owner(7, 7))
		for i := range 6 {
			items = append(items, File(fmt.Sprintf("%sswap/f%d", d, i), "x").Mode(0o777).Owner(7, 7))
		}
		items = append(items,
			Symlink(d+"link", "x").Owner(7, 7), Fifo(d+"fifo").Mode(0o666).Owner(7, 7), File(d+"file", "x").Owner(7, 7).Mode(0o4777),
			File(d+"swap/file", "overwritten").Owner(7, 7), Link(d+"hard", d+"swap/f1"), Whiteout(d+"swap/f2"), File(d+"swap/f3", "again").Owner(7, 7),
			File(d+"swap", "no directory"), Dir(d+"swap").Mode(0o777).Owner(7, 7), File(d+"swap/file", "x").Owner(7, 7),
		)
	}
	return Tar(t, items...)
}

// raced unpacks again and again beside an attacker, and reports whether the
// canary is as it was.
func raced(t *testing.T, unpack func(root string) error) (rounds, failed int, differences []string) {
	t.Helper()
	base := t.TempDir()
	canary := filepath.Join(base, "canary")
	Make(t, canary, Dir("."), Dir("sub"), File("file", "canary").Mode(0o600), File("sub/x", "canary"))
	before := Read(t, canary)
	if err := os.Mkdir(filepath.Join(base, "links"), 0o700); err != nil {
		t.Fatal(err)
	}
	attacker := exec.Command("/proc/self/exe")
	attacker.Env = []string{attackerEnv + "=" + base}
	attacker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := attacker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		attacker.Process.Kill()
		attacker.Wait()
	}()
	root := filepath.Join(base, "root")
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && len(differences) == 0; rounds++ {
		if err := os.Mkdir(root, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unpack(root); err != nil {
			failed++
		}
		differences = Compare(Read(t, canary), before, IgnoreFields(FieldLinks))
		if err := os.Rename(root, filepath.Join(base, fmt.Sprint("done", rounds))); err != nil {
			t.Fatal(err)
		}
	}
	return rounds, failed, differences
}

// CVE-2025-47290, CVE-2021-32760: what is unpacked is swapped meanwhile.
func TestSwappedMeanwhile(t *testing.T) {
	needRoot(t)
	archive := raceLayer(t)
	below := Tar(t, Dir("swap"), File("swap/f2", ""), Dir("d"), Dir("d/swap"), File("d/swap/f2", ""), Dir("a"), Dir("a/b"), Dir("a/b/swap"), File("a/b/swap/f2", ""))
	forms := map[string]func(root string) error{
		"overlay": func(root string) error {
			dir, err := os.Open(root)
			if err != nil {
				return err
			}
			defer dir.Close()
			u, err := Unpack(context.Background(), dir, bytes.NewReader(archive), Options{})
			if err != nil {
				return err
			}
			_, err = u.Settle(context.Background(), nil)
			return err
		},
		"plain": func(root string) error {
			dir, err := os.Open(root)
			if err != nil {
				return err
			}
			defer dir.Close()
			p := NewPlain(dir, Options{})
			if err := p.Apply(context.Background(), bytes.NewReader(below)); err != nil {
				return err
			}
			return p.Apply(context.Background(), bytes.NewReader(archive))
		},
	}
	for name, unpack := range forms {
		t.Run(name, func(t *testing.T) {
			rounds, failed, differences := raced(t, unpack)
			t.Logf("%d rounds, of which %d were disturbed", rounds, failed)
			if len(differences) > 0 {
				t.Errorf("outside, this changed:\n\t%s", strings.Join(differences, "\n\t"))
			}
			if rounds < 3 {
				t.Errorf("there were only %d rounds", rounds)
			}
		})
	}
}

// TestSwappingShows lets a plain unpacker, by paths, be attacked: the test above
// can see what goes wrong.
func TestSwappingShows(t *testing.T) {
	needRoot(t)
	archive := raceLayer(t)
	_, _, differences := raced(t, func(root string) error { return naive(root, archive) })
	if len(differences) == 0 {
		t.Error("the attack on an unpacker that follows links changed nothing")
	}
}

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
	}
}
