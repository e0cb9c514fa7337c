package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"
)

// benchName is the directory in which Probe tries things out.
const benchName = ".overlay-probe"

// Support is what can be done with layers in a directory.
type Support struct {
	// Overlay says that an overlay can be mounted, with the writable layer there.
	Overlay bool
	// Userxattr says that layers keep overlayfs' marks in user.overlay. attributes:
	// so it is in a user namespace.
	//
	// Linux 5.11: overlayfs in user namespaces, with the option userxattr.
	Userxattr bool
	// Reason is why there is no overlay, as one line.
	Reason string
}

// Probe tries out in a directory, which must exist, whether overlay mounts work
// there: with the caller's rights, on its file system, with a removed and a
// replaced directory. It leaves nothing behind; what a killed Probe left, the
// next one removes. Calls at the same time wait for each other.
func Probe(ctx context.Context, dir string) (Support, error) {
	s := Support{Userxattr: userns.RunningInUserNS()}
	bench, lock, err := lockBench(ctx, filepath.Join(dir, benchName))
	if err != nil {
		return s, fmt.Errorf("probing for overlayfs in %s: %w", dir, err)
	}
	defer lock.Close()
	err = tryOverlay(ctx, bench, s.Userxattr)
	s.Overlay = err == nil
	if err != nil {
		s.Reason = err.Error()
	}
	if err := Remove(bench); err != nil {
		return s, fmt.Errorf("probing for overlayfs in %s: %w", dir, err)
	}
	return s, nil
}

// EndProbe removes what a killed Probe left in a directory in which no other is
// under way.
func EndProbe(dir string) error {
	bench := filepath.Join(dir, benchName)
	if _, err := os.Lstat(bench); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := errors.Join(Unmount(benchSpec(bench).Target), Remove(bench)); err != nil {
		return fmt.Errorf("removing what a probe left in %s: %w", dir, err)
	}
	return nil
}

// lockBench makes an empty directory that nobody else works in.
func lockBench(ctx context.Context, bench string) (string, *os.File, error) {
	for {
		if err := os.Mkdir(bench, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", nil, err
		}
		lock, err := os.OpenFile(bench, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another one ended just now
		}
		if err != nil {
			return "", nil, err
		}
		if err := errors.Join(ctx.Err(), unix.Flock(int(lock.Fd()), unix.LOCK_EX)); err != nil {
			lock.Close()
			return "", nil, err
		}
		if still, err := sameFile(lock, bench); err == nil && still {
			return bench, lock, nil
		}
		lock.Close()
	}
}

// sameFile says whether a path still leads to what is open.
func sameFile(f *os.File, path string) (bool, error) {
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(held, there), err
}

func benchSpec(bench string) Spec {
	return Spec{
		Lower:  []string{filepath.Join(bench, "lower")},
		Upper:  filepath.Join(bench, "upper"),
		Work:   filepath.Join(bench, "work"),
		Target: filepath.Join(bench, "target"),
	}
}

// tryOverlay mounts an overlay and does in it what containers do.
func tryOverlay(ctx context.Context, bench string, userxattr bool) error {
	s := benchSpec(bench)
	s.Userxattr = userxattr
	removed := filepath.Join(s.Target, "d")
	for _, d := range []string{s.Target, s.Upper, s.Work, filepath.Join(s.Lower[0], "d")} {
		if err := errors.Join(Remove(d), os.MkdirAll(d, 0o700)); err != nil {
			return err
		}
	}
	if err := Mount(ctx, s); err != nil {
		return err
	}
	// A directory in the place of a removed one needs the opaque mark.
	err := errors.Join(os.Remove(removed), os.Mkdir(removed, 0o700))
	if err != nil {
		err = fmt.Errorf("%w: %w [the file system cannot hold a writable layer]", ErrUnsupported, err)
	}
	return errors.Join(err, Unmount(s.Target))
}
