package main

import (
	"bufio"
	"errors"
	"io"
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
	w := bufio.NewWriterSize(p.out, 1<<16)
	return errors.Join(write(w), w.Flush())
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
	w := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(write(w), w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
