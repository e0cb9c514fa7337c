package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// writeTime is how long a file that is being written may look half written.
const writeTime = time.Minute

// Unused lists the paths of the files in cacheDir that none of the profiles
// is found under, and those that a killed process left half written. A cache that does not
// exist is an error that Is fs.ErrNotExist.
func Unused(cacheDir string, profiles []*specs.LinuxSeccomp) ([]string, error) {
	entries, err := os.ReadDir(cacheDir)
	if err != nil {
		return nil, err
	}
	used := keys(profiles)
	var unused []string
	for _, e := range entries {
		name := e.Name()
		if notEntry(name) || used[name] || beingWritten(e) {
			continue
		}
		unused = append(unused, filepath.Join(cacheDir, name))
	}
	slices.Sort(unused)
	return unused, nil
}

// keys are the names under which profiles are kept.
func keys(profiles []*specs.LinuxSeccomp) map[string]bool {
	used := map[string]bool{}
	for _, p := range profiles {
		if !seccomp.Enabled(p) {
			continue
		}
		for _, unknown := range []seccomp.UnknownNames{seccomp.SkipUnknownNames, seccomp.FailUnknownNames} {
			sum := sha256.Sum256(seccomp.Canonical(p, unknown))
			used[hex.EncodeToString(sum[:])] = true
		}
	}
	return used
}

// beingWritten tells whether a file has the name of one that is not whole, and
// is too young to have been given up.
func beingWritten(e os.DirEntry) bool {
	if filepath.Ext(e.Name()) == "" {
		return false
	}
	info, err := e.Info()
	return err != nil || time.Since(info.ModTime()) < writeTime
}

// Discard removes a file of the cache. Whoever looks for it compiles again.
func Discard(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
