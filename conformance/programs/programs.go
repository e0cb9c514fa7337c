// Package programs gives tests the programs of this tree, as it is.
//
// It is not for programs of others: see needs.Program.
package programs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Build puts a program into a folder, and gives its path. It is built from its
// package, which is named by its folder in the tree, or, on a machine without Go,
// such as a guest, is the one that `make build` left in bin.
func Build(dir, name, folder string) (string, error) {
	path := filepath.Join(dir, name)
	root, err := treeRoot()
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("go"); err != nil {
		built := filepath.Join(root, "bin", name)
		if _, err := os.Stat(built); err != nil {
			return "", fmt.Errorf("finding %s on a machine without Go: %w [make build]", name, err)
		}
		return path, os.Symlink(built, path)
	}
	cmd := exec.Command("go", "build", "-o", path, "./"+folder)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", name, err, out)
	}
	return path, nil
}

// treeRoot is the folder with go.mod, at or above the working directory.
func treeRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("finding this tree: no go.mod is at or above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
