package programs

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// The programs in bin are what build.sh makes of src.
func TestBuild(t *testing.T) {
	for arch := range machines {
		t.Run(arch, func(t *testing.T) {
			dir := t.TempDir()
			if out, err := exec.Command("./build.sh", arch, dir).CombinedOutput(); err != nil {
				if missing := missingTool(arch); missing != "" {
					t.Skip("needs " + missing)
				}
				t.Fatalf("building: %v\n%s", err, out)
			}
			want, got := read(t, "bin/tools_"+arch), read(t, filepath.Join(dir, "tools_"+arch))
			if !bytes.Equal(got, want) {
				t.Skipf("needs the tools that made the programs:\n%sfound:\n%s", want, got)
			}
			for _, name := range []string{"init_" + arch, "hello_" + arch} {
				if !bytes.Equal(read(t, filepath.Join(dir, name)), read(t, "bin/"+name)) {
					t.Errorf("bin/%s is not made from src: run ./build.sh %s", name, arch)
				}
			}
		})
	}
}

// missingTool names the first of the tools that is not there.
func missingTool(arch string) string {
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	if gcc := machine + "-linux-gnu-gcc"; !found(exec.LookPath(gcc)) {
		return gcc
	}
	for _, file := range []string{"crt1.o", "libc.a"} {
		path := "/usr/lib/" + machine + "-linux-musl/" + file
		if !found(os.Stat(path)) {
			return path
		}
	}
	headers := []string{"/usr/" + machine + "-linux-gnu/include", "/usr/include/" + machine + "-linux-gnu"}
	for _, dir := range headers {
		if found(os.Stat(dir + "/asm/unistd.h")) {
			return ""
		}
	}
	return "asm/unistd.h for " + arch
}

func found[T any](_ T, err error) bool { return err == nil }

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPrograms(t *testing.T) {
	for arch, machine := range machines {
		for _, name := range []string{"init_" + arch, "hello_" + arch} {
			t.Run(name, func(t *testing.T) { check(t, read(t, "bin/"+name), machine) })
		}
	}
}

func check(t *testing.T, data []byte, machine elf.Machine) {
	if len(data) >= 100_000 {
		t.Errorf("the program has %d bytes", len(data))
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != machine {
		t.Errorf("the program is for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has %v", p.Type)
		}
	}
}
