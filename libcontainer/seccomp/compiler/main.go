//go:build cgo && linux

// Compiler is the program that turns a seccomp profile into a filter where
// davit itself has no cgo: one canonical profile (seccomp.Document, JSON) on
// stdin, one encoded filter (seccomp.Filter.Encode, stamped with the SHA-256
// of its input) on stdout. On failure it prints one line on stderr and exits
// with 1. With --version it prints libseccomp's version.
//
// It is built statically, embedded by package seccomp/compile, and not meant
// to be run by hand.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/libseccomp"
)

// maxSeconds is the processor time after which the kernel ends the program: a
// profile takes milliseconds, and nobody watches.
const maxSeconds = 60

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the program.
func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 1 && args[0] == "--version" {
		_, err := fmt.Fprintln(out, libseccomp.Version())
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("unknown argument %q", args[0])
	}
	limit := unix.Rlimit{Cur: maxSeconds, Max: maxSeconds}
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return fmt.Errorf("limiting processor time: %w", err)
	}
	return compile(in, out)
}

// compile reads one profile and writes its filter.
func compile(in io.Reader, out io.Writer) error {
	canonical, err := io.ReadAll(io.LimitReader(in, seccomp.MaxCanonical+1))
	if err != nil {
		return fmt.Errorf("reading the profile: %w", err)
	}
	doc, err := parse(canonical)
	if err != nil {
		return err
	}
	unknown := seccomp.SkipUnknownNames
	if doc.UnknownNames == seccomp.FailUnknownNames.String() {
		unknown = seccomp.FailUnknownNames
	}
	filter, err := libseccomp.Compile(doc.Seccomp, unknown)
	if err != nil {
		return err
	}
	_, err = out.Write(filter.Encode(sha256.Sum256(canonical)))
	return err
}

// parse decodes a canonical profile, and refuses one of another davit.
func parse(canonical []byte) (*seccomp.Document, error) {
	if len(canonical) > seccomp.MaxCanonical {
		return nil, fmt.Errorf("the profile has more than %d bytes", seccomp.MaxCanonical)
	}
	var doc seccomp.Document
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return nil, fmt.Errorf("reading the profile: %w", err)
	}
	if doc.Format != seccomp.Format || doc.Native != seccomp.NativeArch() {
		return nil, fmt.Errorf("the profile has format %d for %s, this compiler knows format %d for %s",
			doc.Format, doc.Native, seccomp.Format, seccomp.NativeArch())
	}
	if !seccomp.Enabled(doc.Seccomp) {
		return nil, errors.New("the profile is empty")
	}
	return &doc, nil
}
