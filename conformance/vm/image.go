package vm

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// recipe is all that an image depends on.
//
//go:embed recipe agent wire
var recipe embed.FS

// ErrNoImage says that an image has not been built.
var ErrNoImage = errors.New("no image of a guest")

// An Image is a directory with what guests boot from: vmlinux, initrd and
// root.ext4.
type Image struct{ dir string }

// String is the image's folder.
func (i Image) String() string { return i.dir }

// making begins the name of an image that is not complete.
const making = "making-"

// root is the file with the root file system.
func (i Image) root() string { return filepath.Join(i.dir, "root.ext4") }

// CacheDir is where images are kept by default.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "davit-vm"), err
}

// Find returns the image of this program's recipe in a cache directory, or
// [ErrNoImage].
func Find(cache string) (Image, error) {
	key, err := recipeKey()
	if err != nil {
		return Image{}, err
	}
	image := Image{filepath.Join(cache, key)}
	now := time.Now()
	if err := os.Chtimes(image.dir, now, now); errors.Is(err, fs.ErrNotExist) {
		return image, fmt.Errorf("%w in %s", ErrNoImage, cache)
	} else if err != nil {
		return image, err
	}
	return image, nil
}

// Build returns the image of this program's recipe, and makes it if it is not
// there, telling its progress on log. It needs root, and Debian's archive.
// Images that were last used a week ago are removed.
func Build(ctx context.Context, cache string, log io.Writer) (Image, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Image{}, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "build.lock"), 0)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	image, err := Find(cache)
	if !errors.Is(err, ErrNoImage) {
		return image, err
	}
	if err := removeUnused(cache); err != nil {
		return image, err
	}
	return image, image.build(ctx, log)
}

// build makes the image, complete or not at all.
func (i Image) build(ctx context.Context, log io.Writer) error {
	if os.Getuid() != 0 {
		return errors.New("making a guest's image: needs root, for a Debian root file system")
	}
	work, err := os.MkdirTemp(filepath.Dir(i.dir), making)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := filepath.Join(work, "image")
	if err := os.CopyFS(work, recipe); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	agent, err := os.Executable() // serves as the guest's agent too
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(work, "recipe", "build"), agent, out)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("making a guest's image: %w", err)
	}
	return os.Rename(out, i.dir)
}

// recipeKey names the recipe by its content.
func recipeKey() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipe.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// unusedFor is how long after its last use an image is kept.
const unusedFor = 7 * 24 * time.Hour

// removeUnused removes images of earlier recipes, and what interrupted builds
// left.
func removeUnused(cache string) error {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		unfinished := strings.HasPrefix(entry.Name(), making)
		if !entry.IsDir() || !unfinished && time.Since(info.ModTime()) < unusedFor {
			continue
		}
		if err := os.RemoveAll(filepath.Join(cache, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
