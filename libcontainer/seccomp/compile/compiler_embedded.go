//go:build !cgo

package compile

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// programs holds bin/compiler, and beside it what `compiler --version` says,
// once `make build` has put them there.
//
//go:embed bin
var programs embed.FS

// ErrNoCompiler means that this davit was built without the compiler program.
var ErrNoCompiler = errors.New("this davit was built without its seccomp compiler [build it with `make build`]")

// idLength is how much of the program identifies it: the start of an ELF file
// has the exact sizes of all segments, and the build's notes. All of it would
// be three megabytes to hash at every start.
const idLength = 1024

// Version is the version of libseccomp that compiles, such as "2.5.4".
func Version() (string, error) {
	version, err := programs.ReadFile("bin/compiler.version")
	if err != nil {
		return "", ErrNoCompiler
	}
	return strings.TrimSpace(string(version)), nil
}

// compilerID tells the filters of one compiler from those of another.
func compilerID() []byte {
	file, err := programs.Open("bin/compiler")
	if err != nil {
		return nil
	}
	start := make([]byte, idLength)
	n, _ := file.Read(start)
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	return fmt.Append(start[:n], info.Size())
}

// compileProfile runs the compiler program on the canonical profile.
func compileProfile(_ *specs.LinuxSeccomp, canonical []byte, _ seccomp.UnknownNames) (seccomp.Filter, error) {
	out, err := runCompiler(canonical)
	if err != nil {
		return seccomp.Filter{}, err
	}
	filter, err := seccomp.Decode(out, sha256.Sum256(canonical))
	if err != nil {
		return seccomp.Filter{}, fmt.Errorf("reading the seccomp compiler's answer: %w", err)
	}
	return filter, nil
}

// runCompiler runs the program from a sealed file of memory, where nothing on
// the host's file system can change or replace it.
func runCompiler(stdin []byte, args ...string) ([]byte, error) {
	source, err := programs.Open("bin/compiler")
	if err != nil {
		return nil, ErrNoCompiler
	}
	program, err := sealedProgram(source)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	var stdout, stderr bytes.Buffer
	cmd := exec.Cmd{
		Path:   fmt.Sprintf("/proc/self/fd/%d", program.Fd()),
		Args:   append([]string{"seccomp-compiler"}, args...),
		Env:    []string{"GOMAXPROCS=1", "GOGC=off"},
		Stdin:  bytes.NewReader(stdin),
		Stdout: &stdout,
		Stderr: &stderr,
	}
	if err := cmd.Run(); err != nil {
		return nil, compilerError(err, stderr.String())
	}
	return stdout.Bytes(), nil
}

// compilerError is what the program said, in its words; where it said nothing,
// how it ended.
func compilerError(err error, stderr string) error {
	line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	if _, exited := errors.AsType[*exec.ExitError](err); exited && line != "" {
		return errors.New(line)
	}
	return fmt.Errorf("running the seccomp compiler: %w", err)
}
