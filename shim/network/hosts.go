package network

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The marks between which a hosts file is ours. What a container writes itself
// stands before or behind them, and stays.
const (
	hostsBegin = "# containers of the same networks, kept by davit:\n"
	hostsEnd   = "# end of containers\n"
)

// maxHosts is how large a hosts file may be that is changed; a container can
// write to it.
const maxHosts = 1 << 20

// standardHosts are what every hosts file begins with.
const standardHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
	"fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"

// section is the part of a hosts file with these lines.
func section(lines []string) string {
	return hostsBegin + strings.Join(lines, "") + hostsEnd
}

// replaceSection is a hosts file with another section; at its end where the
// container removed the marks.
func replaceSection(content []byte, lines []string) []byte {
	begin := bytes.Index(content, []byte(hostsBegin))
	if begin >= 0 {
		if end := bytes.Index(content[begin:], []byte(hostsEnd)); end >= 0 {
			return slices.Concat(content[:begin], []byte(section(lines)), content[begin+end+len(hostsEnd):])
		}
	}
	if len(content) > 0 && content[len(content)-1] != '\n' {
		content = append(content, '\n')
	}
	return append(content, section(lines)...)
}

// updateHosts changes the section of the hosts file at path. A file that is
// gone is of a container that is.
func updateHosts(path string, lines []string) error {
	f, err := openRegular(path, os.O_RDWR)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxHosts+1))
	if err != nil {
		return fmt.Errorf("reading hosts file: %w", err)
	}
	if len(content) > maxHosts {
		return fmt.Errorf("reading hosts file: %s is larger than %d bytes", path, maxHosts)
	}
	return overwrite(f, content, replaceSection(slices.Clone(content), lines))
}

// openRegular opens a file of a container's directory, never a link, nor what
// blocks.
func openRegular(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("opening %s: not a regular file", path)
	}
	return f, nil
}

// overwrite changes a file that is bind-mounted into a container: in place, for
// the container sees that one file only, and at once. A shorter content is
// filled up with empty lines first, so that nobody reads the end of the old.
func overwrite(f *os.File, old, content []byte) error {
	if bytes.Equal(old, content) {
		return nil
	}
	filled := content
	if short := len(old) - len(content); short > 0 {
		filled = append(slices.Clone(content), bytes.Repeat([]byte("\n"), short)...)
	}
	if _, err := f.WriteAt(filled, 0); err != nil {
		return fmt.Errorf("writing hosts file: %w", err)
	}
	if err := f.Truncate(int64(len(content))); err != nil {
		return fmt.Errorf("writing hosts file: %w", err)
	}
	return nil
}
