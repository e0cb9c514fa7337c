package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// download fetches the packages that are not in the cache.
func download(ctx context.Context, cache string, names []string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	var missing []string
	for _, name := range names {
		if _, err := packageFile(cache, name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "APT::Sandbox::User=root", "--quiet=2", "download"}, missing...)...)
	cmd.Dir, cmd.Stderr = cache, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get download: %w", err)
	}
	return nil
}

// packageFile is a package in the cache: NAME_VERSION_ARCHITECTURE.deb.
func packageFile(cache, name string) (string, error) {
	found, err := filepath.Glob(filepath.Join(cache, url.PathEscape(name)+"_*.deb"))
	if err == nil && len(found) == 0 {
		found, err = filepath.Glob(filepath.Join(cache, name+"_*.deb"))
	}
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("package %s is not in %s", name, cache)
	}
	return found[len(found)-1], nil
}

// addPackage adds a package's files to a layer.
func addPackage(ctx context.Context, cache, name string, w *layer) error {
	file, err := packageFile(cache, name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = copyFiles(out, w)
	_, draining := io.Copy(io.Discard, out)
	if err = errors.Join(err, draining, cmd.Wait()); err != nil {
		return fmt.Errorf("package %s: %w", name, err)
	}
	return nil
}

// mergedDirs are directories that are links on this machine.
var mergedDirs = map[string]bool{"/bin": true, "/sbin": true, "/lib": true, "/lib64": true}

// addInstalled adds the files of a package as they are on this machine.
func addInstalled(name string, w *layer) error {
	list, err := os.ReadFile("/var/lib/dpkg/info/" + name + ".list")
	if err != nil {
		return fmt.Errorf("package %s is not installed: %w", name, err)
	}
	for path := range strings.Lines(string(list)) {
		path = strings.TrimSpace(path)
		if mergedDirs[path] || path == "/." || w.has(inUsr(path[1:])) {
			continue
		}
		if err := addFile(path, w); err != nil {
			return fmt.Errorf("package %s: %w", name, err)
		}
	}
	return nil
}

// addFile adds a file of this machine. What a package has and the machine has not
// any more, such as a diverted program, is left out.
func addFile(path string, w *layer) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	target, _ := os.Readlink(path)
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Uname, h.Gname, h.Format = inUsr(path[1:]), "", "", tar.FormatUnknown
	h.ModTime = h.ModTime.Truncate(time.Second)
	if h.Typeflag != tar.TypeReg {
		return w.copy(h, strings.NewReader(""))
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.copy(h, f)
}

// copyFiles adds an archive's entries to a layer, below /usr where Debian has
// them now.
func copyFiles(from io.Reader, w *layer) error {
	in := tar.NewReader(from)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = inUsr(h.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = inUsr(h.Linkname)
		}
		if h.Name == "." || w.has(h.Name) {
			continue
		}
		h.Format, h.PAXRecords = tar.FormatUnknown, nil
		if err := w.copy(h, in); err != nil {
			return err
		}
	}
}

// inUsr is a name without its leading "./", and in /usr if dpkg would follow a
// link there.
func inUsr(name string) string {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	first, _, _ := strings.Cut(name, "/")
	if mergedDirs["/"+first] {
		return "usr/" + name
	}
	return name
}
