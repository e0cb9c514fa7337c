package rootpath

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxInterpreters is how many interpreters of interpreters the kernel follows.
const maxInterpreters = 5

// firstLine is how much of a script the kernel looks at, BINPRM_BUF_SIZE.
const firstLine = 256

// Diagnose tells why the program cannot start in a container whose root file
// system is root: a short sentence of "it", such as "its ELF interpreter
// /lib64/ld-linux-x86-64.so.2 is missing". It is empty when nothing is found
// to be wrong. ldLibraryPath is the process's LD_LIBRARY_PATH.
//
// What is mounted into the container is not seen. An error says that the
// question could not be answered.
func Diagnose(root *os.File, program InRoot, ldLibraryPath string) (hint string, err error) {
	d := &diagnosis{root: root, ldLibraryPath: ldLibraryPath}
	return d.program(program, maxInterpreters)
}

type diagnosis struct {
	root          *os.File
	ldLibraryPath string
}

// program diagnoses a file that is to be executed.
func (d *diagnosis) program(p InRoot, depth int) (hint string, err error) {
	handle, err := Open(d.root, p)
	if err != nil {
		return openHint(err)
	}
	defer handle.Close()
	if hint, err := kindHint(handle); hint != "" || err != nil {
		return hint, err
	}
	f, err := OpenFile(d.root, p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return d.content(f, p, depth)
}

func (d *diagnosis) content(f *os.File, p InRoot, depth int) (hint string, err error) {
	head := make([]byte, firstLine)
	n, err := f.ReadAt(head, 0)
	switch head = head[:n]; {
	case n == 0:
		return "it is empty", nil
	case bytes.HasPrefix(head, []byte("#!")):
		return d.script(head, depth)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return d.elf(f, p)
	}
	return "it is neither an ELF file nor a script that begins with #!", nil
}

// script diagnoses by the first line of a script.
func (d *diagnosis) script(head []byte, depth int) (string, error) {
	line, _, whole := bytes.Cut(head, []byte("\n"))
	if bytes.HasSuffix(line, []byte("\r")) {
		return "the first line ends in a carriage return: " + strconv.Quote(string(line)) + " (CRLF line endings)", nil
	}
	words := strings.Fields(strings.ReplaceAll(string(line[2:]), "\x00", " "))
	switch {
	case len(words) == 0:
		return "its first line names no interpreter", nil
	case !whole && len(words) == 1 && len(head) == firstLine:
		return "its first line is longer than " + strconv.Itoa(firstLine) + " bytes", nil
	case depth == 0:
		return "its interpreters are scripts, one after the other", nil
	}
	hint, err := d.program(join("/", words[0]), depth-1)
	return of("its interpreter "+words[0], hint), err
}

func (d *diagnosis) elf(f *os.File, p InRoot) (string, error) {
	img, err := readImage(f)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", p, err)
	}
	if !img.runsHere() {
		return "it is for " + img.arch() + ", and this machine is " + runtime.GOARCH, nil
	}
	if img.interp == "" {
		return "", nil
	}
	if hint, err := d.loader(img); hint != "" || err != nil {
		return hint, err
	}
	return newLoading(d, img, d.realPath(f, p)).missing()
}

// loader diagnoses the ELF interpreter.
func (d *diagnosis) loader(img *image) (string, error) {
	handle, err := Open(d.root, join("/", img.interp))
	if err != nil {
		hint, err := openHint(err)
		return of("its ELF interpreter "+img.interp, hint), err
	}
	defer handle.Close()
	hint, err := kindHint(handle)
	return of("its ELF interpreter "+img.interp, hint), err
}

// realPath is p without links, as far as the root's own name is known: what
// the dynamic loader takes $ORIGIN from.
func (d *diagnosis) realPath(f *os.File, p InRoot) InRoot {
	root, err1 := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(d.root.Fd())))
	real, err2 := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	rest, below := strings.CutPrefix(real, strings.TrimSuffix(root, "/")+"/")
	if err1 != nil || err2 != nil || !below {
		return p
	}
	return InRoot("/" + rest)
}

// openHint words the errno of a path.
func openHint(err error) (string, error) {
	switch {
	case errors.Is(err, unix.ENOENT):
		return "it is missing", nil
	case errors.Is(err, unix.ENOTDIR):
		return "it is missing: a part of its path is not a directory", nil
	case errors.Is(err, unix.ELOOP):
		return "it is missing: its path has a loop of links", nil
	}
	return "", err
}

// kindHint is for what no execve(2) takes.
func kindHint(f *os.File) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", os.NewSyscallError("fstat", err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "it is a directory", nil
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "it is not a regular file", nil
	case st.Mode&0o111 == 0:
		return "it is not executable: its mode is 0" + strconv.FormatUint(uint64(st.Mode&0o7777), 8), nil
	}
	return "", nil
}

// of says of name what a hint says of "it".
func of(name, hint string) string {
	if hint == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(hint, "it "); ok {
		return name + " " + rest
	}
	return name + ": " + hint
}
