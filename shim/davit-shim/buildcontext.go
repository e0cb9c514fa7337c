package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/libcontainer/rootpath"
	"github.com/davit-containers/davit/shim/build"
)

// maxFile is how long a Dockerfile or a .dockerignore may be, in bytes.
const maxFile = 8 << 20

// buildContext is what a build is given.
type buildContext struct {
	root   *os.File // nil: there is only the Dockerfile
	text   string   // the Dockerfile
	ignore []string
	temp   string // where an archive was unpacked
}

func (c *buildContext) close() error {
	var err error
	if c.root != nil {
		err = c.root.Close()
	}
	if c.temp != "" {
		err = errors.Join(err, rootfs.Remove(c.temp))
	}
	return err
}

// openContext opens the directory, or reads standard input.
func (p *program) openContext(ctx context.Context, b building, dir string, o *build.Options) (*buildContext, error) {
	c := &buildContext{}
	var err error
	if dir == "-" {
		if b.file == "-" {
			return nil, errors.New("standard input is the context or the Dockerfile, and not both")
		}
		err = c.readInput(ctx, p.in, o)
	} else if dir, err = contextOf(dir); err == nil {
		c.root, err = os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	if err == nil {
		err = c.readFiles(p.in, b.file, dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the context: %w", err), c.close())
	}
	return c, nil
}

// readInput takes standard input as an archive, which it unpacks, or else as a
// Dockerfile.
func (c *buildContext) readInput(ctx context.Context, in io.Reader, o *build.Options) error {
	r := bufio.NewReaderSize(in, 1<<16)
	head, err := r.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	if !build.LooksLikeArchive(head) {
		text, err := readAll(r)
		if err == nil && text == "" {
			err = errors.New("there is nothing on standard input")
		}
		c.text = text
		return err
	}
	if err := removeContexts(o.Store.Root()); err != nil {
		return err
	}
	if c.temp, err = os.MkdirTemp(o.Store.Root(), contextPrefix); err != nil {
		return err
	}
	if c.root, err = os.Open(c.temp); err != nil {
		return err
	}
	if err := unix.Flock(int(c.root.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	return build.Unpack(ctx, r, c.root)
}

// contextPrefix begins the names of the directories that archives are unpacked in.
// Each is locked by its build.
const contextPrefix = ".context-"

// removeContexts removes those of builds that were killed.
func removeContexts(root string) error {
	left, err := filepath.Glob(filepath.Join(root, contextPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		dir, err := os.Open(path)
		if err != nil {
			continue // its build has removed it
		}
		empty, _ := os.ReadDir(path)
		if len(empty) > 0 && unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = rootfs.Remove(path)
		}
		if err = errors.Join(err, dir.Close()); err != nil {
			return err
		}
	}
	return nil
}

// readFiles reads the Dockerfile and the list of what is left out. Those that are
// in the context are looked up there, whatever links it has.
func (c *buildContext) readFiles(in io.Reader, file, dir string) error {
	if c.text != "" {
		return nil
	}
	name, err := c.readDockerfile(in, file, dir)
	if err != nil {
		return err
	}
	for _, ignore := range []string{name + ".dockerignore", ".dockerignore"} {
		text, err := c.read(ignore)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err == nil {
			c.ignore, err = ignorefile.ReadAll(strings.NewReader(text))
		}
		return err
	}
	return nil
}

// readDockerfile reads the Dockerfile, and gives its path in the context, "" where
// it is elsewhere.
func (c *buildContext) readDockerfile(in io.Reader, file, dir string) (name string, err error) {
	switch {
	case file == "-":
		c.text, err = readAll(in)
		return "", err
	case file == "":
		for _, name := range defaultFiles {
			c.text, err = c.read(name)
			if !errors.Is(err, os.ErrNotExist) {
				return name, err
			}
		}
		return "", fmt.Errorf("there is no %s in it [name one by -f]", strings.Join(defaultFiles, " and no "))
	case dir == "-":
		c.text, err = c.read(file)
		return file, err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		c.text, err = c.read(rel)
		return rel, err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	c.text, err = readAll(f)
	return "", err
}

// read reads a regular file of the context.
func (c *buildContext) read(name string) (string, error) {
	data, err := rootpath.ReadFile(c.root, rootpath.InRoot("/"+name), maxFile)
	return string(data), err
}

// readAll reads a text of a bounded length.
func readAll(r io.Reader) (string, error) {
	var text bytes.Buffer
	n, err := io.Copy(&text, io.LimitReader(r, maxFile+1))
	if err == nil && n > maxFile {
		err = fmt.Errorf("the Dockerfile has more than %d bytes", maxFile)
	}
	return text.String(), err
}
