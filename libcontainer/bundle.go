package libcontainer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/spec"
)

// Bundle is a directory with a configuration that has been decoded and
// validated.
type Bundle struct {
	Path string // absolute
	Spec *specs.Spec

	config []byte
}

// LoadBundle reads the bundle in dir; "" is the working directory.
// configFile is the configuration's path, "" for config.json in the bundle.
// Spec: bundle.md
func LoadBundle(dir, configFile string) (*Bundle, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the bundle %s: %w", dir, err)
	}
	if configFile == "" {
		configFile = filepath.Join(abs, "config.json")
	}
	config, err := readConfig(configFile)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", configFile, pathError(err))
	}
	s, err := spec.Decode(config)
	if err != nil {
		return nil, err
	}
	if err := spec.Validate(s); err != nil {
		return nil, err
	}
	return &Bundle{Path: abs, Spec: s, config: config}, nil
}

// readConfig reads a regular file of bounded size.
func readConfig(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w [is it a bundle?]", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > spec.MaxSize {
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", info.Size(), spec.MaxSize)
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}

// rootfs is the absolute path of the bundle's root file system, without
// symbolic links.
func (b *Bundle) rootfs() (string, error) {
	path := b.Spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Path, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("opening the root file system %s: %w", path, pathError(err))
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("opening the root file system %s: %w", path, pathError(err))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("opening the root file system %s: %w", path, unix.ENOTDIR)
	}
	return real, nil
}
