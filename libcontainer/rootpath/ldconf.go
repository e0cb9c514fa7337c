package rootpath

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The bounds of the loader's configuration.
const (
	maxConf     = 64 << 10 // bytes of a file
	maxConfs    = 64       // files
	maxConfDirs = 256
)

// configured is where the loader looks for a library that nothing else gave a
// place for.
func (l *loading) configured() []string {
	if l.musl {
		return l.muslDirs()
	}
	c := &ldConf{d: l.d}
	c.file("/etc/ld.so.conf")
	triplet := multiarch(l.program.image)
	return append(c.dirs, "/lib/"+triplet, "/usr/lib/"+triplet,
		"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32")
}

// multiarch is Debian's name for a machine's directory.
func multiarch(img *image) string {
	switch img.machine {
	case emX8664:
		return "x86_64-linux-gnu"
	case em386:
		return "i386-linux-gnu"
	case emAArch64:
		return "aarch64-linux-gnu"
	}
	return "arm-linux-gnueabihf"
}

// muslDirs reads /etc/ld-musl-ARCH.path, which replaces the defaults.
func (l *loading) muslDirs() []string {
	arch := strings.TrimSuffix(strings.TrimPrefix(path.Base(l.program.interp), "ld-musl-"), ".so.1")
	data, err := ReadFile(l.d.root, InRoot("/etc/ld-musl-"+arch+".path"), maxConf)
	if err != nil {
		return []string{"/lib", "/usr/local/lib", "/usr/lib"}
	}
	return strings.FieldsFunc(string(data), func(c rune) bool { return c == ':' || c == '\n' })
}

// ldConf reads /etc/ld.so.conf and what it includes, as ldconfig(8) does for
// the cache that the loader really reads.
type ldConf struct {
	d     *diagnosis
	dirs  []string
	files int
}

func (c *ldConf) file(p InRoot) {
	if c.files++; c.files > maxConfs {
		return
	}
	data, err := ReadFile(c.d.root, p, maxConf)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || len(c.dirs) >= maxConfDirs:
		case words[0] == "include":
			for _, pattern := range words[1:] {
				c.include(string(join("/etc", pattern)))
			}
		case strings.HasPrefix(words[0], "/"):
			c.dirs = append(c.dirs, words[0])
		}
	}
}

// include reads the files that match a pattern, which has wildcards in its
// last part only.
func (c *ldConf) include(pattern string) {
	dir := path.Dir(pattern)
	f, err := open(c.d.root, InRoot(dir), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxConfDirs)
	slices.Sort(names)
	for _, name := range names {
		if ok, _ := path.Match(path.Base(pattern), name); ok {
			c.file(join(InRoot(dir), name))
		}
	}
}
