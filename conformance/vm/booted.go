package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// booted is an image's guest as it was when it had just booted: its memory, its
// disk and its devices, in a folder of the image's. To restore it takes a second
// where to boot takes ten.
type booted struct{ dir string }

func (b booted) memory() string { return filepath.Join(b.dir, "memory") }
func (b booted) disk() string   { return filepath.Join(b.dir, "root.ext4") }
func (b booted) state() string  { return filepath.Join(b.dir, "state") }

// booted returns the image's booted guest, and makes it if it is not there.
func (i Image) booted(ctx context.Context) (booted, error) {
	key, err := bootedKey()
	if err != nil {
		return booted{}, err
	}
	b := booted{filepath.Join(i.dir, "booted-"+key)}
	unlock, err := lock(ctx, filepath.Join(i.dir, "booted.lock"), 0)
	if err != nil {
		return b, err
	}
	defer unlock()
	if _, err := os.Stat(b.dir); !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	return b, b.make(ctx, i)
}

// bootedKey names what a saved guest can be restored with: this QEMU, this
// machine, this host's clock.
func bootedKey() (string, error) {
	path, err := exec.LookPath(qemu)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, info.Size(), info.ModTime().UnixNano(), machine(Image{}, defaultMemoryMiB))
	return hex.EncodeToString(sum.Sum(nil)[:4]), nil
}

// make boots a guest and saves it, complete or not at all.
func (b booted) make(ctx context.Context, i Image) error {
	work := booted{filepath.Join(i.dir, making+"booted")}
	if err := os.RemoveAll(work.dir); err != nil {
		return err
	}
	if err := os.Mkdir(work.dir, 0o755); err != nil {
		return err
	}
	if err := work.save(ctx, i); err != nil {
		return fmt.Errorf("saving a booted guest: %w", err)
	}
	return os.Rename(work.dir, b.dir)
}

// save boots from a disk that is kept, in a memory that is kept, and saves the
// rest. The user's session runs by then.
func (b booted) save(ctx context.Context, i Image) error {
	if out, err := exec.CommandContext(ctx, "cp", "--sparse=always", i.root(), b.disk()).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the disk: %w: %s", err, out)
	}
	args := append(machine(i, defaultMemoryMiB), disk(b.disk(), kept)...)
	guest, err := power(ctx, append(args, memory(b.memory(), kept)...))
	if err != nil {
		return err
	}
	defer guest.halt()
	if err := guest.greet(); err != nil {
		return err
	}
	for _, user := range []bool{false, true} {
		if _, err := guest.Run(Command{Args: []string{"true"}, User: user, Stdout: io.Discard, Stderr: io.Discard}); err != nil {
			return err
		}
	}
	return guest.save(b.state())
}
