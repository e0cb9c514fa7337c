package security

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// canary is a directory of the host that nothing may change, not even for a
// moment.
type canary struct {
	*bundle
	dir   string
	watch int
	want  string
}

// disturbance is every event that is a change.
const disturbance = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE | unix.IN_CLOSE_WRITE

// canary makes one, which is looked at when the test ends. It has more files
// where they are named.
func (b *bundle) canary(more ...string) *canary {
	b.Helper()
	c := &canary{bundle: b, dir: b.TempDir()}
	b.must(os.Chmod(c.dir, 0o777))
	for _, name := range append(more, "file", "ptmx", "console", "sub/file") {
		b.must(os.MkdirAll(filepath.Join(c.dir, filepath.Dir(name)), 0o777))
		b.must(os.WriteFile(filepath.Join(c.dir, name), []byte("host's secret"), 0o666))
	}
	var err error
	c.watch, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	b.must(err)
	for _, dir := range []string{c.dir, filepath.Join(c.dir, "sub")} {
		_, err := unix.InotifyAddWatch(c.watch, dir, disturbance)
		b.must(err)
	}
	c.want = c.state()
	b.Cleanup(c.check)
	return c
}

// state is all that can be seen of it.
func (c *canary) state() string {
	var text strings.Builder
	filepath.Walk(c.dir, func(path string, info os.FileInfo, err error) error {
		var st unix.Stat_t
		unix.Lstat(path, &st)
		content, _ := os.Readlink(path)
		if st.Mode&unix.S_IFMT == unix.S_IFREG { // a device that an attack has made there may have no end
			data, _ := os.ReadFile(path)
			content = string(data)
		}
		fmt.Fprintln(&text, path, info.Mode(), st.Uid, st.Gid, st.Dev, st.Rdev, content, err)
		return nil
	})
	return text.String()
}

// check reports what was done to it.
func (c *canary) check() {
	c.Helper()
	buf := make([]byte, 64<<10)
	n, _ := unix.Read(c.watch, buf)
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		mask := binary.NativeEndian.Uint32(buf[at+4:])
		size := int(binary.NativeEndian.Uint32(buf[at+12:]))
		name := strings.TrimRight(string(buf[at+16:at+16+size]), "\x00")
		c.Errorf("the host's %q was changed: event %#x", name, mask)
		at += unix.SizeofInotifyEvent + size
	}
	unix.Close(c.watch)
	if got := c.state(); got != c.want {
		c.Errorf("the host's directory is\n%swas\n%s", got, c.want)
	}
}
