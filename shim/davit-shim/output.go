package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeOutput writes to the file of a name, which is there only when all of it
// is, or to standard output for "" and "-". A terminal is not written to.
func (p *program) writeOutput(path string, write func(io.Writer) error) error {
	if path != "" && path != "-" {
		return writeFile(path, write)
	}
	if isTerminal(p.out) {
		return errors.New("standard output is a terminal [give a file by -o, or redirect it]")
	}
	return buffered(p.out, write)
}

// buffered writes through a buffer.
func buffered(out io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(out, 1<<20)
	if err := write(w); err != nil {
		return err // which Flush would only say again
	}
	return w.Flush()
}

// writeFile writes a file whole or not at all. What is no regular file, such as
// a pipe, is written to as it is.
func writeFile(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	err = errors.Join(buffered(f, write), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(renamed(err, f.Name(), path), os.Remove(f.Name()))
	}
	return nil
}

// renamed is an error in which a file has another name.
func renamed(err error, temp, path string) error {
	var at *fs.PathError
	if errors.As(err, &at) && at.Path == temp {
		at.Path = path
	}
	return err
}
