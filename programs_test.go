package davit_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// program is one in C, as its package has it made: the words that follow
// contrib/static/build.
type program struct{ dir, name, arch, source string }

// path is where it is committed.
func (p program) path() string { return filepath.Join(p.dir, "bin", p.name+"_"+p.arch) }

// buildDirective is how a package says that it has a program.
var buildDirective = regexp.MustCompile(`(?m)^//go:generate [./]*contrib/static/build (\S+) (\S+) (\S+)$`)

// programs are all.
func programs(t *testing.T) (list []program) {
	t.Helper()
	for _, f := range goFiles(t) {
		text, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range buildDirective.FindAllStringSubmatch(string(text), -1) {
			list = append(list, program{f.dir, words[1], words[2], words[3]})
		}
	}
	if len(list) == 0 {
		t.Fatal("no package says that it has a program in C")
	}
	return list
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// What is committed is what the sources make.
func TestProgramsAreBuilt(t *testing.T) {
	build, err := filepath.Abs("contrib/static/build")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs(t) {
		t.Run(p.name+"_"+p.arch, func(t *testing.T) {
			needTools(t, p.arch)
			out := t.TempDir()
			cmd := exec.Command(build, p.name, p.arch, p.source, out)
			cmd.Dir = p.dir
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("building: %v\n%s", err, said)
			}
			made := filepath.Join(out, filepath.Base(p.path()))
			if want, got := contents(t, p.path()+".tools"), contents(t, made+".tools"); !bytes.Equal(got, want) {
				t.Skipf("needs the tools that made %s:\n%sfound:\n%s", p.path(), want, got)
			}
			if !bytes.Equal(contents(t, made), contents(t, p.path())) {
				t.Errorf("%s is not made from %s: run go generate ./%[3]s", p.path(), p.source, p.dir)
			}
		})
	}
}

// needTools skips a test where a program cannot be built.
func needTools(t *testing.T, arch string) {
	t.Helper()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	needs.Program(t, machine+"-linux-gnu-gcc")
	for _, file := range []string{"crt1.o", "libc.a"} {
		needs.File(t, "/usr/lib/"+machine+"-linux-musl/"+file, "musl-dev:"+arch)
	}
	for _, dir := range []string{"/usr/" + machine + "-linux-gnu/include", "/usr/include/" + machine + "-linux-gnu"} {
		if _, err := os.Stat(dir + "/asm/unistd.h"); err == nil {
			return
		}
	}
	needs.File(t, "/usr/"+machine+"-linux-gnu/include/asm/unistd.h", "linux-libc-dev-"+arch+"-cross")
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The programs are small, static, and for the machine that their names say.
func TestProgramsAreStatic(t *testing.T) {
	for _, p := range programs(t) {
		t.Run(p.name+"_"+p.arch, func(t *testing.T) {
			if err := static(contents(t, p.path()), machines[p.arch]); err != nil {
				t.Error(err)
			}
		})
	}
}

func static(data []byte, machine elf.Machine) error {
	if len(data) >= 100_000 {
		return errors.New("the program has 100,000 bytes or more")
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if f.Machine != machine {
		return errors.New("the program is for " + f.Machine.String())
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return errors.New("the program is not static: it has " + strings.ToLower(p.Type.String()))
		}
	}
	return nil
}
