package rootpath

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// LookPath returns the program that name means to a process whose root is root,
// whose working directory is cwd, and whose $PATH is path: name itself where it
// has a slash. Errors are worded like those of os/exec.
func LookPath(root *os.File, name, path string, cwd InRoot) (InRoot, error) {
	if strings.Contains(name, "/") {
		p := join(cwd, name)
		if err := executable(root, p); err != nil {
			return "", &exec.Error{Name: name, Err: err}
		}
		return p, nil
	}
	found := exec.ErrNotFound
	for _, dir := range strings.Split(path, ":") {
		p := join(join(cwd, dir), name)
		err := executable(root, p)
		if err == nil {
			return p, nil
		}
		if errors.Is(err, unix.EACCES) {
			found = unix.EACCES
		}
	}
	return "", &exec.Error{Name: name, Err: found}
}

// executable returns the errno that execve(2) would begin with: EACCES for what
// is no regular file or has no execute bit.
func executable(root *os.File, p InRoot) error {
	f, err := Open(root, p)
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	st, err := regular(f, p)
	if err != nil || st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	return nil
}

// join is name seen from dir. No ".." is resolved: only the kernel knows what
// stands before it.
func join(dir InRoot, name string) InRoot {
	if strings.HasPrefix(name, "/") {
		return InRoot(name)
	}
	return InRoot(strings.TrimSuffix(string(dir), "/") + "/" + name)
}
