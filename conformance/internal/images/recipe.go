package images

import (
	"context"
	"strings"
)

// step makes one layer: of packages that are fetched, of some that are installed on
// this machine, or of entries of its own.
type step struct {
	packages, installed string
	own                 func(*layer) error
}

// origin is what the history says of a step.
func (s step) origin() string { return strings.TrimSpace("packages " + s.packages + s.installed) }

// recipes are the images, from the lowest layer.
func recipes() map[string][]step {
	return map[string][]step{
		"busybox": {{packages: "busybox-static", own: applets}},
		"debian": {
			{packages: "base-files base-passwd bash bsdutils coreutils dash debianutils diffutils dpkg findutils grep gzip hostname " +
				"init-system-helpers libc-bin libc6 login ncurses-base ncurses-bin perl-base sed sysvinit-utils tar util-linux apt tzdata passwd", own: merged},
			{packages: "perl perl-modules-5.36 libperl5.36 git"},
			{packages: "gcc-12 cpp-12 g++-12 libgcc-12-dev libstdc++-12-dev libc6-dev"},
			{packages: "libllvm14 llvm-14"},
			{packages: "golang-1.19-src golang-1.19-go"},
			{packages: "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3-numpy python3-scipy"},
			{packages: "libboost1.74-dev libicu-dev"},
			{packages: "vim-runtime emacs-common locales"},
			{own: changes},
			{own: sparse},
		},
		"small": {
			{own: merged, installed: "base-files dash"},
			{own: victims},
			{installed: "sed"},
			{installed: "grep"},
			{installed: "hostname"},
			{installed: "debianutils"},
			{installed: "busybox-static"},
			{own: changes},
			{own: across},
			{own: sparse},
		},
	}
}

// packagesOf are the packages of a recipe.
func packagesOf(recipe []step) []string {
	var all []string
	for _, s := range recipe {
		all = append(all, strings.Fields(s.packages)...)
	}
	return all
}

// write writes the layer: first what is its own, then the packages.
func (s step) write(ctx context.Context, cache string, w *layer) error {
	if s.own != nil {
		if err := s.own(w); err != nil {
			return err
		}
	}
	for _, name := range strings.Fields(s.installed) {
		if err := addInstalled(name, w); err != nil {
			return err
		}
	}
	for _, name := range strings.Fields(s.packages) {
		if err := addPackage(ctx, cache, name, w); err != nil {
			return err
		}
	}
	return nil
}

// merged are the links of a root file system whose programs are all in /usr.
func merged(w *layer) error {
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := w.dir("usr/"+name, 0o755); err != nil {
			return err
		}
		if err := w.symlink(name, "usr/"+name); err != nil {
			return err
		}
	}
	return nil
}

// applets are the names by which busybox is called.
func applets(w *layer) error {
	for _, name := range strings.Fields("sh ls cat echo true false id env sleep stat mkdir rm") {
		if err := w.symlink("usr/bin/"+name, "busybox"); err != nil {
			return err
		}
	}
	return w.symlink("bin", "usr/bin")
}
