package rootfs

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// attack calls act again and again beside the test, until it ends.
func attack(t *testing.T, act func()) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				act()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// exchange swaps two names in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// TestPlainUnderAttack has somebody put links in the place of what Plain makes:
// nothing that they lead to changes.
func TestPlainUnderAttack(t *testing.T) {
	needs.Root(t, "it copies files of others")
	const dirs = 40
	canary := t.TempDir()
	treetest.Make(t, canary, treetest.File("f", "secret").Mode(0o600), treetest.Dir("d").Mode(0o700))
	before := treetest.Read(t, canary)
	layers := layerDirs(t, 1)
	var items []treetest.Item
	for i := range dirs {
		d := fmt.Sprint("d", i)
		items = append(items, treetest.Dir(d).Mode(0o777).Owner(7, 7), treetest.File(d+"/f", "from the layer").Mode(0o4777).Owner(7, 7), treetest.File(d+"/new", "x"), treetest.Fifo(d+"/p").Mode(0o777).Owner(7, 7))
	}
	treetest.Make(t, layers[0], items...)
	hits := 0
	for range 20 {
		target := t.TempDir()
		random := rand.New(rand.NewSource(1))
		stop := attack(t, func() {
			if replaceBy(random, target, fmt.Sprint("d", random.Intn(dirs)), canary) == nil {
				hits++
			}
		})
		_ = Plain(t.Context(), PlainSpec{Lower: layers, Target: target}) // it may fail, that is all
		stop()
		treetest.EqualTrees(t, treetest.Read(t, canary), before)
		if t.Failed() {
			return
		}
	}
	if hits < 10 {
		t.Errorf("the attacker came in time only %d times", hits)
	}
}

// replaceBy puts a link in the place of a directory, or of something in it. It
// follows no links itself.
func replaceBy(random *rand.Rand, target, name, canary string) error {
	at := unix.AT_FDCWD
	if random.Intn(2) == 0 {
		dir, err := unix.Open(filepath.Join(target, name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		at, name = dir, []string{"f", "p"}[random.Intn(2)]
	} else {
		name = filepath.Join(target, name)
	}
	if err := unix.Renameat(at, name, at, name+".away"); err != nil {
		return err
	}
	return unix.Symlinkat(canary+[]string{"", "/f"}[random.Intn(2)], at, name)
}

// TestPlainOfALayerWithLinks has links in one layer where another one has
// directories: what they lead to is neither read nor written.
func TestPlainOfALayerWithLinks(t *testing.T) {
	canary := t.TempDir()
	treetest.Make(t, canary, treetest.File("secret", "x"))
	before := treetest.Read(t, canary)
	layers := layerDirs(t, 3)
	self := func(i treetest.Item) treetest.Item { return i.Owner(os.Getuid(), os.Getgid()) }
	treetest.Make(t, layers[0], self(treetest.Dir("d")), self(treetest.File("d/f", "x")), self(treetest.Symlink("e", canary)))
	treetest.Make(t, layers[1], self(treetest.Symlink("d", canary)), self(treetest.Dir("e")), self(treetest.File("e/f", "x")))
	treetest.Make(t, layers[2], self(treetest.Dir("d")), self(treetest.File("d/g", "x")))
	plain := t.TempDir()
	if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: plain, Userxattr: true}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(treetest.Read(t, plain).Paths(), " "); got != ". d d/f e" {
		t.Errorf("got %s", got)
	}
	treetest.EqualTrees(t, treetest.Read(t, canary), before)
}

// TestUnmountUnderAttack has somebody exchange our mount with another one's:
// the other one is never unmounted.
func TestUnmountUnderAttack(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	lower := layerDirs(t, 2)
	for _, d := range []string{"ours/m", "theirs/m"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	foreign(t, "tmpfs", dir+"/theirs/m", "")
	var before unix.Stat_t
	if err := unix.Stat(dir+"/theirs/m", &before); err != nil {
		t.Fatal(err)
	}
	unmounted := 0
	for range 100 {
		if err := Mount(t.Context(), Spec{Lower: lower, Target: dir + "/ours/m", Userxattr: userxattr}); err != nil {
			t.Fatal(err)
		}
		swaps := 0
		stop := attack(t, func() {
			if exchange(dir+"/ours", dir+"/theirs") == nil {
				swaps++
			}
		})
		for range 3 {
			if err := Unmount(dir + "/ours/m"); err == nil {
				unmounted++
			} else if !errors.Is(err, ErrNotOurs) {
				t.Errorf("got %v", err)
			}
		}
		stop()
		if swaps%2 == 1 {
			if err := exchange(dir+"/ours", dir+"/theirs"); err != nil {
				t.Fatal(err)
			}
		}
		if err := Unmount(dir + "/ours/m"); err != nil {
			t.Fatal(err)
		}
	}
	var after unix.Stat_t
	if err := unix.Stat(dir+"/theirs/m", &after); err != nil || after.Dev != before.Dev {
		t.Errorf("the other one's mount has gone: %v", err)
	}
	if unmounted == 0 {
		t.Error("ours was never met")
	}
}

// killedVar is set for the process that TestKilled kills: what to do, and where.
const killedVar = "ROOTFS_TEST_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedVar); dir != "" {
		fmt.Println(workForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workForever does everything that leaves traces, in a directory that has two
// layers.
func workForever(dir string) error {
	ctx := context.Background()
	lower := []string{dir + "/layers/0", dir + "/layers/1"}
	target, plain := dir+"/target", dir+"/plain"
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	for {
		if _, err := Probe(ctx, dir); err != nil {
			return err
		}
		w, err := MakeWritable(dir+"/writable", userxattr, lower)
		if err != nil {
			return err
		}
		s := Spec{Lower: lower, Upper: w.Upper(), Work: w.Work(), Target: target, Userxattr: userxattr, Volatile: true}
		err = errors.Join(os.MkdirAll(plain, 0o755), Mount(ctx, s), os.WriteFile(target+"/f", nil, 0o600), Unmount(target),
			Plain(ctx, PlainSpec{Lower: lower, Target: plain, Userxattr: userxattr}), Remove(plain), Remove(string(w)))
		if err != nil {
			return err
		}
	}
}

// TestKilled kills a process at any moment: the next one can clean up and begin
// again, and no mount is left.
func TestKilled(t *testing.T) {
	needMounts(t)
	for i := range 20 {
		dir := t.TempDir()
		for _, l := range []string{"/layers/0", "/layers/1"} {
			if err := os.MkdirAll(dir+l, 0o755); err != nil {
				t.Fatal(err)
			}
			treetest.Make(t, dir+l, randomDeepItems()...)
		}
		killSoon(t, dir, i)
		// What a next call does is the same as what the killed one did.
		if err := errors.Join(Unmount(dir+"/target"), Remove(dir+"/plain")); err != nil {
			t.Fatal(err)
		}
		w, err := MakeWritable(dir+"/writable", userxattr, []string{dir + "/layers/0"})
		if err != nil {
			t.Fatal(err)
		}
		s := Spec{Lower: []string{dir + "/layers/0"}, Upper: w.Upper(), Work: w.Work(), Target: dir + "/target", Userxattr: userxattr}
		if err := errors.Join(os.MkdirAll(s.Target, 0o755), Mount(t.Context(), s), Unmount(s.Target)); err != nil {
			t.Fatal(err)
		}
		if got, err := Probe(t.Context(), dir); err != nil || !got.Overlay {
			t.Errorf("probing afterwards: %+v, %v", got, err)
		}
		left, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
		if err != nil || len(left) > 0 {
			t.Fatalf("mounts are left: %v, %v", left, err)
		}
		if err := Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// randomDeepItems are enough entries to be killed among.
func randomDeepItems() []treetest.Item {
	var items []treetest.Item
	for i := range 20 {
		items = append(items, treetest.File(fmt.Sprintf("d%d/e/f", i%4+i), fmt.Sprint(i)))
	}
	return items
}

// killSoon runs workForever, and kills it after a time that differs each time.
func killSoon(t *testing.T, dir string, i int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), killedVar+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Duration(5+4*i)*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); out.Len() > 0 {
		t.Fatalf("the process ended before it was killed: %v: %s", err, out.String())
	}
}
