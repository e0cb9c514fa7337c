package treetest

import (
	"archive/tar"
	"bytes"
	"path"
	"testing"
	"time"
)

// Item is one entry of a layer, or of a tree to make. Its methods change a
// copy, so that items read as a list:
//
//	treetest.File("bin/su", "...").Mode(0o4755).Xattr("security.capability", caps)
type Item struct {
	Header tar.Header
	Body   string
}

// Epoch is the time of an item that has none of its own: 2020-09-13T12:26:40
// and some nanoseconds.
var Epoch = time.Unix(1_600_000_000, 123_456_789)

func item(kind byte, name string, mode int64) Item {
	return Item{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: Epoch, Format: tar.FormatPAX}}
}

// Dir is a directory with mode 0755.
func Dir(name string) Item { return item(tar.TypeDir, name, 0o755) }

// File is a regular file with mode 0644.
func File(name, content string) Item {
	i := item(tar.TypeReg, name, 0o644)
	i.Body, i.Header.Size = content, int64(len(content))
	return i
}

// Symlink is a symbolic link.
func Symlink(name, target string) Item {
	i := item(tar.TypeSymlink, name, 0o777)
	i.Header.Linkname = target
	return i
}

// Link is a hard link to another path of the same tree.
func Link(name, target string) Item {
	i := item(tar.TypeLink, name, 0o644)
	i.Header.Linkname = target
	return i
}

// Fifo is a named pipe with mode 0644.
func Fifo(name string) Item { return item(tar.TypeFifo, name, 0o644) }

// CharDevice is a character device with mode 0644.
func CharDevice(name string, major, minor int64) Item {
	i := item(tar.TypeChar, name, 0o644)
	i.Header.Devmajor, i.Header.Devminor = major, minor
	return i
}

// BlockDevice is a block device with mode 0644.
func BlockDevice(name string, major, minor int64) Item {
	i := CharDevice(name, major, minor)
	i.Header.Typeflag = tar.TypeBlock
	return i
}

// Whiteout is the entry of a layer that removes a path of the layers below.
func Whiteout(name string) Item {
	dir, base := path.Split(name)
	return File(dir+".wh."+base, "")
}

// Opaque is the entry of a layer that hides what the layers below have in a
// directory.
func Opaque(dir string) Item { return File(path.Join(dir, ".wh..wh..opq"), "") }

// Mode sets the permissions, with the set-id and sticky bits.
func (i Item) Mode(mode int64) Item { i.Header.Mode = mode; return i }

// Owner sets the numbers of user and group.
func (i Item) Owner(uid, gid int) Item { i.Header.Uid, i.Header.Gid = uid, gid; return i }

// At sets the time of modification.
func (i Item) At(t time.Time) Item { i.Header.ModTime = t; return i }

// Xattr adds an extended attribute.
func (i Item) Xattr(name, value string) Item { return i.Record("SCHILY.xattr."+name, value) }

// Record adds a PAX record.
func (i Item) Record(key, value string) Item {
	records := map[string]string{key: value}
	for k, v := range i.Header.PAXRecords {
		records[k] = v
	}
	records[key] = value
	i.Header.PAXRecords = records
	return i
}

// Tar is an uncompressed layer of these items, in this order.
func Tar(tb testing.TB, items ...Item) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, i := range items {
		h := i.Header
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatalf("writing the tar header of %q: %v", h.Name, err)
		}
		if _, err := w.Write([]byte(i.Body)); err != nil {
			tb.Fatalf("writing %q to the tar: %v", h.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatalf("ending the tar: %v", err)
	}
	return out.Bytes()
}
