package bundledir

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// recordName is the record's file.
const recordName = "bundle.json"

// Form is what a root file system is.
type Form string

const (
	// Overlay is a mount of the image's layers and a writable one.
	Overlay Form = "overlay"
	// Plain is a directory into which the layers were copied.
	Plain Form = "plain"
)

// Record is what is known of a bundle.
type Record struct {
	// Store is the store's directory, and Hold the name of the hold there.
	Store string `json:"store"`
	Hold  string `json:"hold"`
	// Image is the digest of the image's manifest, Name what it was called.
	Image string `json:"image"`
	Name  string `json:"name"`
	// Form is empty until the root file system is made.
	Form      Form                   `json:"form,omitempty"`
	Lower     []string               `json:"lower,omitempty"` // the layers, the nearest first
	Userxattr bool                   `json:"userxattr,omitempty"`
	Volatile  bool                   `json:"volatile,omitempty"`
	OneOwner  bool                   `json:"oneOwner,omitempty"`
	UIDs      []specs.LinuxIDMapping `json:"uids,omitempty"`
	GIDs      []specs.LinuxIDMapping `json:"gids,omitempty"`
	// StopSignal is what asks the program to end.
	StopSignal string `json:"stopSignal,omitempty"`
}

// Bundle is a bundle's directory.
type Bundle struct {
	Dir string // absolute
	Record
}

// ErrNotBundle is a directory that no bundle of this package is in.
var ErrNotBundle = errors.New("no bundle of this program")

// Open reads the record of a bundle.
func Open(dir string) (*Bundle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Dir: dir}
	file, err := os.OpenFile(b.path(recordName), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotBundle)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := json.NewDecoder(file).Decode(&b.Record); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file.Name(), err)
	}
	return b, nil
}

// Is tells whether a bundle is in a directory.
func Is(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, recordName))
	return err == nil
}

// Rootfs is the directory of the root file system.
func (b *Bundle) Rootfs() string { return b.path("rootfs") }

func (b *Bundle) path(name string) string { return filepath.Join(b.Dir, name) }

// save writes the record, whole or not at all.
func (b *Bundle) save() error { return b.write(recordName, b.Record) }

// write writes a file of JSON, whole or not at all.
func (b *Bundle) write(name string, v any) error {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(v); err != nil {
		return err
	}
	temp := b.path("." + name)
	if err := os.WriteFile(temp, data.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, b.path(name))
}

// holdPrefix begins the names of bundles' holds.
const holdPrefix = "bundle-"

// holdName is the hold's name for a bundle: it says where the bundle is, so that
// the hold of one that is gone can be told. That of a long path is a digest.
func holdName(dir string) string {
	const longest = 240
	name := holdPrefix + base64.RawURLEncoding.EncodeToString([]byte(dir))
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(dir))
	return holdPrefix + "." + hex.EncodeToString(sum[:])
}

// Gone tells whether a hold is that of a bundle which somebody has removed without
// saying so.
func Gone(hold string) bool {
	text, ok := strings.CutPrefix(hold, holdPrefix)
	if !ok {
		return false
	}
	dir, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !filepath.IsAbs(string(dir)) {
		return false
	}
	_, err = os.Lstat(filepath.Join(string(dir), recordName))
	return errors.Is(err, fs.ErrNotExist)
}

// At is where the bundle of a hold is, "" where the hold does not say.
func At(hold string) string {
	dir, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(hold, holdPrefix))
	if err != nil || !strings.HasPrefix(hold, holdPrefix) || !filepath.IsAbs(string(dir)) {
		return ""
	}
	return string(dir)
}
