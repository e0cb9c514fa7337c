package rootpath

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const interp = "/lib64/ld-linux-x86-64.so.2"

// linked is a program of this machine that needs libraries.
func linked(needed ...string) string {
	return string(native(program{interp: interp, needed: needed}).build())
}

func withRpath(rpath, runpath string, needed ...string) string {
	return string(native(program{interp: interp, needed: needed, rpath: rpath, runpath: runpath}).build())
}

func musl(needed ...string) string {
	return string(native(program{interp: "/lib/ld-musl-x86_64.so.1", needed: needed}).build())
}

func library(needed ...string) string { return string(native(program{needed: needed}).build()) }

func foreign() program {
	p := native(program{interp: interp})
	p.machine = elf.EM_RISCV
	return p
}

func TestDiagnose(t *testing.T) {
	foreignElf := string(foreign().build())
	ldso := map[string]string{interp: "loader"}
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"static", map[string]string{"app": library()}, ""},
		{"missing", nil, "it is missing"},
		{"dangling link", map[string]string{"app": "->/none"}, "it is missing"},
		{"loop of links", map[string]string{"app": "->app"}, "it is missing: its path has a loop of links"},
		{"directory", map[string]string{"app/": ""}, "it is a directory"},
		{"empty", map[string]string{"app": ""}, "it is empty"},
		{"text", map[string]string{"app": "echo hello\n"}, "it is neither an ELF file nor a script that begins with #!"},
		{"other machine", map[string]string{"app": foreignElf}, "it is for riscv64, and this machine is " + runtime.GOARCH},
		{"no ELF interpreter", map[string]string{"app": linked()}, "its ELF interpreter " + interp + " is missing"},
		{"ELF interpreter is a directory", map[string]string{"app": linked(), interp + "/": ""}, "its ELF interpreter " + interp + " is a directory"},

		{"script", map[string]string{"app": "#!/bin/sh\n", "bin/sh": library()}, ""},
		{"script with an argument and a blank", map[string]string{"app": "#! /bin/sh -e\necho\r\n", "bin/sh": library()}, ""},
		{"CRLF", map[string]string{"app": "#!/bin/sh\r\necho\r\n", "bin/sh": library()},
			`the first line ends in a carriage return: "#!/bin/sh\r" (CRLF line endings)`},
		{"CRLF behind an argument", map[string]string{"app": "#!/usr/bin/env sh\r\n"},
			`the first line ends in a carriage return: "#!/usr/bin/env sh\r" (CRLF line endings)`},
		{"no interpreter", map[string]string{"app": "#!/usr/bin/python3\n"}, "its interpreter /usr/bin/python3 is missing"},
		{"interpreter of another machine", map[string]string{"app": "#!/bin/sh\n", "bin/sh": foreignElf},
			"its interpreter /bin/sh is for riscv64, and this machine is " + runtime.GOARCH},
		{"interpreter without its own", map[string]string{"app": "#!/bin/sh\n", "bin/sh": linked()},
			"its interpreter /bin/sh: its ELF interpreter " + interp + " is missing"},
		{"no interpreter named", map[string]string{"app": "#! \n/bin/sh\n"}, "its first line names no interpreter"},
		{"long first line", map[string]string{"app": "#!/" + strings.Repeat("x", 300) + "\n"}, "its first line is longer than 256 bytes"},
		{"its own interpreter", map[string]string{"app": "#!/app\n"},
			strings.Repeat("its interpreter /app: ", 5) + "its interpreters are scripts, one after the other"},

		{"libraries", with(ldso, "app", linked("a.so", "b.so"), "lib/a.so", library("b.so"), "usr/lib/b.so", library()), ""},
		{"no library", with(ldso, "app", linked("a.so", "b.so"), "lib/a.so", library()), "its library b.so is missing"},
		{"no library of a library", with(ldso, "app", linked("a.so"), "lib/a.so", library("b.so")), "its library b.so, needed by /lib/a.so, is missing"},
		{"library of another machine", with(ldso, "app", linked("a.so"), "lib/a.so", foreignElf), "its library a.so is missing"},
		{"dangling library", with(ldso, "app", linked("a.so"), "lib/a.so", "->a.so.1"), "its library a.so is missing"},
		{"library with a path", with(ldso, "app", linked("/opt/a.so"), "opt/a.so", library()), ""},
		{"circle of libraries", with(ldso, "app", linked("a.so"), "lib/a.so", library("b.so"), "lib/b.so", library("a.so")), ""},
		{"the loader itself", with(ldso, "app", linked("ld-linux-x86-64.so.2")), ""},
		{"multiarch", with(ldso, "app", linked("a.so"), "usr/lib/"+multiarchHere()+"/a.so", library()), ""},
		{"RPATH", with(ldso, "app", withRpath("/opt/x:/opt/y", "", "a.so"), "opt/y/a.so", library()), ""},
		{"RUNPATH from the program's place", with(ldso, "opt/bin/app", withRpath("", "$ORIGIN/../lib", "a.so"), "opt/lib/a.so", library(), "app", "->opt/bin/app"), ""},
		{"RUNPATH in braces", with(ldso, "app", withRpath("", "${ORIGIN}/l", "a.so"), "l/a.so", library()), ""},
		{"RPATH holds for libraries", with(ldso, "app", withRpath("/opt", "", "a.so"), "opt/a.so", library("b.so"), "opt/b.so", library()), ""},
		{"RUNPATH does not", with(ldso, "app", withRpath("", "/opt", "a.so"), "opt/a.so", library("b.so"), "opt/b.so", library()), "its library b.so, needed by /opt/a.so, is missing"},
		{"unknown variable", with(ldso, "app", withRpath("", "/opt/$PLATFORM", "a.so")), ""},
		{"LD_LIBRARY_PATH", with(ldso, "app", linked("a.so"), "env/a.so", library()), ""},
		{"ld.so.conf", with(ldso, "app", linked("a.so", "b.so"), "etc/ld.so.conf", "# x\ninclude ld.so.conf.d/*.conf\n", "etc/ld.so.conf.d/1.conf", "/opt/a\n", "etc/ld.so.conf.d/2.conf", "include /etc/more.conf",
			"etc/more.conf", "/opt/b", "etc/ld.so.conf.d/x.txt", "/opt/c", "opt/a/a.so", library(), "opt/b/b.so", library()), ""},
		{"ld.so.conf names another", with(ldso, "app", linked("a.so"), "etc/ld.so.conf.d/x.conf", "/opt/a", "opt/a/a.so", library()), "its library a.so is missing"},
		{"ld.so.conf includes itself", with(ldso, "app", linked("a.so"), "etc/ld.so.conf", "include /etc/ld.so.conf"), "its library a.so is missing"},

		{"musl", map[string]string{"app": musl("libc.so", "a.so"), "lib/ld-musl-x86_64.so.1": "", "usr/local/lib/a.so": library()}, ""},
		{"musl without a library", map[string]string{"app": musl("libc.musl-x86_64.so.1", "libz.so.1"), "lib/ld-musl-x86_64.so.1": ""}, "its library libz.so.1 is missing"},
		{"musl's path", map[string]string{"app": musl("a.so"), "lib/ld-musl-x86_64.so.1": "", "etc/ld-musl-x86_64.path": "/opt/a\n/opt/b", "opt/b/a.so": library()}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Diagnose(tree(t, tt.files), "/app", "/env")
			if got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("more than one line: %q", got)
			}
		})
	}
}

// with is files and pairs of name and content more.
func with(files map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for name, content := range files {
		all[name] = content
	}
	for pair := range slices.Chunk(pairs, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

func multiarchHere() string {
	return multiarch(&image{machine: uint16(native(program{}).machine)})
}

func TestDiagnoseMode(t *testing.T) {
	root := tree(t, map[string]string{"app": library()})
	if err := os.Chmod(filepath.Join(root.Name(), "app"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := Diagnose(root, "/app", ""); got != "it is not executable: its mode is 0640" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDiagnoseHostile(t *testing.T) {
	t.Run("malformed", func(t *testing.T) {
		root := tree(t, map[string]string{"app": linked("a.so")[:100]})
		hint, err := Diagnose(root, "/app", "")
		if hint != "" || !errors.Is(err, errNotELF) || err.Error() != "reading /app: malformed ELF file" {
			t.Errorf("got %q, %v", hint, err)
		}
	})
	t.Run("endless chain of libraries", func(t *testing.T) {
		files := map[string]string{"app": linked("0.so"), interp: "loader"}
		for i := range 2 * maxLibraries {
			files[fmt.Sprintf("lib/%d.so", i)] = library(fmt.Sprintf("%d.so", i+1))
		}
		if hint, err := Diagnose(tree(t, files), "/app", ""); hint != "" || err != nil {
			t.Errorf("got %q, %v", hint, err)
		}
	})
	t.Run("endless search path", func(t *testing.T) {
		files := map[string]string{"app": withRpath(strings.Repeat("/x:", 1300), "", "a.so", "b.so"), interp: "loader", "lib/a.so": library()}
		if hint, err := Diagnose(tree(t, files), "/app", ""); hint != "" || err != nil {
			t.Errorf("got %q, %v", hint, err)
		}
	})
}

// Nothing is wrong with the programs of the machine that runs the test.
func TestDiagnoseThisMachine(t *testing.T) {
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	paths, _ := filepath.Glob("/usr/bin/*")
	for _, path := range paths[:min(len(paths), 400)] {
		if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
			continue
		}
		if hint, err := Diagnose(root, InRoot(path), ""); hint != "" || err != nil {
			t.Errorf("%s: %q, %v", path, hint, err)
		}
	}
}

func BenchmarkDiagnose(b *testing.B) {
	root, err := os.Open("/")
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	for b.Loop() {
		if _, err := Diagnose(root, "/bin/sh", ""); err != nil {
			b.Fatal(err)
		}
	}
}
