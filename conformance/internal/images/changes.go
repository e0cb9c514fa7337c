package images

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// changes is a layer that does to those below all that a layer can.
func changes(w *layer) error {
	for _, change := range [...]func(*layer) error{whiteouts, opaque, replaced, linked, privileged, throughLink} {
		if err := change(w); err != nil {
			return err
		}
	}
	return nil
}

// whiteouts removes directories and a file.
func whiteouts(w *layer) error {
	for _, name := range []string{"usr/share/doc/.wh.git", "usr/share/doc/.wh.g++-12", "usr/share/.wh.man", "usr/bin/.wh.llvm-as-14"} {
		if err := w.file(name, "", 0o600); err != nil {
			return err
		}
	}
	return nil
}

// opaque is a directory that hides what was in it.
func opaque(w *layer) error {
	if err := w.dir("usr/share/locale", 0o755); err != nil {
		return err
	}
	if err := w.file("usr/share/locale/.wh..wh..opq", "", 0o600); err != nil {
		return err
	}
	return w.file("usr/share/locale/README", "The locales are gone.\n", 0o644)
}

// replaced is a directory in the place of a file, and a file in the place of a
// directory; a file with other content and another mode.
func replaced(w *layer) error {
	if err := w.dir("usr/bin/cpp-12", 0o711); err != nil {
		return err
	}
	if err := w.file("usr/bin/cpp-12/inside", "inside\n", 0o400); err != nil {
		return err
	}
	if err := w.file("usr/share/zoneinfo", "no directory any more\n", 0o644); err != nil {
		return err
	}
	return w.file("etc/debian_version", "changed\n", 0o640)
}

// linked is a file with three names. A link to a file of a lower layer is not in
// it: podman 4.3 and skopeo refuse that, and would be left out of all measuring.
func linked(w *layer) error {
	if err := w.file("opt/one", "linked\n", 0o644); err != nil {
		return err
	}
	for _, name := range []string{"opt/two", "opt/three"} {
		if err := w.hardlink(name, "opt/one"); err != nil {
			return err
		}
	}
	return nil
}

// privileged is a program with file capabilities, one with set-id bits, and a
// file with an attribute of a user's.
func privileged(w *layer) error {
	const netRaw, revision2, effective = 13, 0x02000000, 1
	capability := make([]byte, 20) // struct vfs_cap_data: magic, permitted, inheritable, and both again for the higher half
	binary.LittleEndian.PutUint32(capability, revision2|effective)
	binary.LittleEndian.PutUint32(capability[4:], 1<<netRaw)
	err := w.write(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/ping", Mode: 0o755, PAXRecords: map[string]string{
		"SCHILY.xattr.security.capability": string(capability),
	}}, []byte("#!/bin/sh\n"))
	if err != nil {
		return err
	}
	err = w.write(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/setuid", Mode: 0o6755, Uid: 7, Gid: 8}, []byte("#!/bin/sh\n"))
	if err != nil {
		return err
	}
	return w.write(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/attribute", Mode: 0o644, PAXRecords: map[string]string{
		"SCHILY.xattr.user.colour": "red",
	}}, nil)
}

// victims are what changes removes and replaces, where no package has it.
func victims(w *layer) error {
	for _, name := range []string{"usr/share/doc/git/README", "usr/share/doc/g++-12/README", "usr/share/man/man1/git.1", "usr/share/locale/de/git.mo", "usr/share/zoneinfo/UTC"} {
		if err := w.dir(path.Dir(name), 0o2750); err != nil {
			return err
		}
		if err := w.file(name, name+"\n", 0o640); err != nil {
			return err
		}
	}
	for _, name := range []string{"usr/bin/llvm-as-14", "usr/bin/cpp-12"} {
		if err := w.file(name, "#!/bin/sh\n", 0o755); err != nil {
			return err
		}
	}
	return nil
}

// across is what podman 4.3 and skopeo refuse to unpack: a link to a file of a lower
// layer, which has file capabilities; and a directory that takes the place of a removed
// one in the same layer.
func across(w *layer) error {
	if err := w.hardlink("usr/bin/ping-too", "opt/ping"); err != nil {
		return err
	}
	if err := w.file("usr/share/doc/.wh.grep", "", 0o600); err != nil {
		return err
	}
	if err := w.dir("usr/share/doc/grep", 0o700); err != nil {
		return err
	}
	return w.file("usr/share/doc/grep/new", "new\n", 0o644)
}

// throughLink is a file below bin, which is a link to usr/bin in the lowest layer.
func throughLink(w *layer) error { return w.file("bin/through-link", "#!/bin/sh\n", 0o755) }

// sparse is a layer, as GNU tar writes it, with a file of 64 MiB with two
// blocks of data in it.
func sparse(w *layer) error {
	dir, err := os.MkdirTemp("", "images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		return err
	}
	for _, at := range []int64{4 << 20, 48 << 20} {
		if _, err := f.WriteAt([]byte(fmt.Sprintf("%4096d", at)), at); err != nil {
			return err
		}
	}
	if err := f.Truncate(64 << 20); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return w.raw(func(out io.Writer) error {
		cmd := exec.CommandContext(context.Background(), "tar", "--format=posix", "--sparse", "--owner=0", "--group=0", "--mode=0644", "--mtime=@1700000000", "-cf", "-", "-C", dir, "sparse")
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		return cmd.Run()
	})
}
