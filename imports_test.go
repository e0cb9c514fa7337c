package davit_test

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says for each top folder which others its packages may import.
// An own folder is always allowed.
var layers = map[string]struct {
	may    []string
	reason string
}{
	"runtime":      {[]string{"libcontainer"}, "the runtime is a command line on libcontainer, and needs nothing of images or supervision"},
	"shim":         {[]string{"libcontainer", "bundle"}, "the shim supervises containers of libcontainer and makes bundles; it never goes through the runtime's command line code"},
	"libcontainer": {nil, "libcontainer is at the bottom, so that each program can use it without the others"},
	"bundle":       {nil, "a bundle is the specification's business, whichever runtime takes it"},
	"conformance":  {nil, "davit is judged by its command line like any other runtime; with our code in the judge, a mistake would be on both sides"},
	"contrib":      {nil, "contrib goes with davit and is no part of it"},
}

// pure are the packages that decide and never act. What they may call is
// limited too: see TestPurePackagesDoNoIO.
var pure = []string{"libcontainer/plan", "libcontainer/seccomp", "libcontainer/spec"}

// ioPackages are the standard packages that ask the system. A name ending in a
// slash stands for what is below it.
var ioPackages = []string{"os", "os/", "net", "net/", "syscall", "io/fs", "io/ioutil", "path/filepath", "log", "log/", "embed"}

// unixArithmetic are the functions of x/sys/unix that only compute.
var unixArithmetic = []string{"Major", "Minor", "Mkdev", "ErrnoName", "SignalName", "SignalNum", "ByteSliceToString"}

// own is the folder of an import of this module, or false.
func own(importPath string) (dir string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// top is the first folder of a path.
func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// within says whether dir is root or below it.
func within(dir, root string) bool {
	return dir == root || strings.HasPrefix(dir, root+"/")
}

// eachOwnImport calls check with every import of this module in the tree.
func eachOwnImport(t *testing.T, check func(f sourceFile, from, to, at string)) {
	for _, f := range goFiles(t) {
		for _, spec := range f.imports() {
			importPath, _ := strconv.Unquote(spec.Path.Value)
			if to, ok := own(importPath); ok {
				check(f, f.dir, to, f.position(spec))
			}
		}
	}
}

// forTests is what test files of every folder may import: what knows the machine
// that they run on, what cleans up after them, what compares trees of files, a registry,
// and what writes contrib. They know nothing else of ours.
var forTests = []string{"conformance/guard", "conformance/isolate", "conformance/needs", "conformance/programs", "conformance/registry", "conformance/treetest", "contrib/generate"}

func TestImportsGoDown(t *testing.T) {
	eachOwnImport(t, func(f sourceFile, from, to, at string) {
		if f.test && slices.Contains(forTests, to) {
			return
		}
		layer, known := layers[top(from)]
		if !known {
			t.Errorf("%s: no layer for the top folder %q: add it to layers in imports_test.go, with what it may import and why", at, top(from))
			return
		}
		for _, allowed := range append([]string{top(from)}, layer.may...) {
			if top(to) == allowed {
				return
			}
		}
		t.Errorf("%s: %s imports %s: imports go down only: %s", at, from, to, layer.reason)
	})
}

func TestLibcontainerNeverImportsSideways(t *testing.T) {
	const root = "libcontainer"
	const reason = "sub-packages of libcontainer are joined in libcontainer itself, so that each can be read, tested and used alone; " +
		"what two of them share belongs in libcontainer/internal, or is handed over by libcontainer"
	eachOwnImport(t, func(f sourceFile, from, to, at string) {
		if !strings.HasPrefix(from, root+"/") || f.test || isGenerator(f) {
			return
		}
		sub := root + "/" + top(strings.TrimPrefix(from, root+"/"))
		if within(to, sub) || sub != root+"/internal" && within(to, root+"/internal") {
			return
		}
		t.Errorf("%s: %s imports %s: %s", at, from, to, reason)
	})
}

// isGenerator says whether a file is part of a program that `make generate`
// runs: it ends up in no program of ours.
func isGenerator(f sourceFile) bool {
	return f.ast.Name.Name == "main" && strings.Contains(f.dir+"/", "/internal/")
}

func TestPurePackagesDoNoIO(t *testing.T) {
	const reason = "this package decides and never acts, so that it can be tested by value, without root and without a kernel; " +
		"facts about the host come in as a value (plan.Facts), acting is for the stage and for libcontainer"
	for _, f := range goFiles(t) {
		if f.test || !isPure(f.dir) {
			continue
		}
		for _, spec := range f.imports() {
			importPath, _ := strconv.Unquote(spec.Path.Value)
			if asksSystem(importPath) {
				t.Errorf("%s: %s imports %s: %s", f.position(spec), f.dir, importPath, reason)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if name, ok := unixCall(n); ok {
				t.Errorf("%s: %s calls unix.%s: constants of x/sys/unix are fine, calls are not: %s", f.position(n), f.dir, name, reason)
			}
			return true
		})
	}
}

// isPure says whether a folder is one of the pure packages.
func isPure(dir string) bool {
	for _, p := range pure {
		if dir == p {
			return true
		}
	}
	return false
}

// asksSystem says whether a package is out of bounds for a pure one: a
// standard package with I/O, or one of ours that is not pure itself.
func asksSystem(importPath string) bool {
	if dir, ok := own(importPath); ok {
		return !isPure(dir)
	}
	for _, banned := range ioPackages {
		if importPath == banned || strings.HasSuffix(banned, "/") && strings.HasPrefix(importPath, banned) {
			return true
		}
	}
	return false
}

// unixCall is the name of the x/sys/unix function that a node calls. A
// conversion, such as unix.Errno(2), is told from a call by its name: types
// that pure packages use are Errno and Signal.
func unixCall(n ast.Node) (name string, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "unix" {
		return "", false
	}
	for _, fine := range append([]string{"Errno", "Signal"}, unixArithmetic...) {
		if fun.Sel.Name == fine {
			return "", false
		}
	}
	return fun.Sel.Name, true
}

func TestCgoOnlyForLibseccomp(t *testing.T) {
	const reason = "davit is built without cgo, which costs 0.9 ms at every start; " +
		"libseccomp is reached through the seccomp compiler program alone"
	for _, f := range goFiles(t) {
		for _, spec := range f.imports() {
			if spec.Path.Value == `"C"` && !within(f.dir, "libcontainer/seccomp/libseccomp") {
				t.Errorf("%s: %s imports C: %s", f.position(spec), f.dir, reason)
			}
		}
	}
}

func TestCOnlyInSmallPrograms(t *testing.T) {
	small := []string{"libcontainer/stage", "shim/keeper", "shim/programs", "shim/rootless"}
	for _, name := range committed(t) {
		if (strings.HasSuffix(name, ".c") || strings.HasSuffix(name, ".h")) && !slices.ContainsFunc(small, func(dir string) bool { return within(name, dir) }) {
			t.Errorf("%s: C belongs in %v alone: what runs inside a container, what outlives a supervisor, and what joins a user namespace, for which a process must have one thread, are small programs that can be read in one sitting", name, small)
		}
	}
}
