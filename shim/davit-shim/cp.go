package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/rootview"
	"github.com/davit-containers/davit/shim/treecopy"
)

// copying has the flags of davit-shim cp.
type copying struct {
	archive, follow, quiet bool
}

// cpCommand is davit-shim cp.
func (p *program) cpCommand() *cobra.Command {
	var c copying
	cmd := &cobra.Command{
		Use:   "cp CONTAINER:PATH DESTINATION | cp SOURCE CONTAINER:PATH",
		Short: "copy files out of a container, or into it",
		Long: `Copies a file or a directory, whether the container runs or not, with what is
mounted in it. A DESTINATION that is a directory gets the source in it; a SOURCE that
ends in /. is what is in a directory. With - in place of a path of the host, a tar
archive is written to standard output, or read from standard input and unpacked into
a directory of the container.

In the container, files are root's; on the host, they are those of who calls. A link
is copied as a link. Nothing of the container is executed, and no link of it leads
out of it. A path of the host with a colon in it begins with / or ./ .`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.cp(cmd.Context(), c, args[0], args[1]) },
	}
	cmd.Flags().BoolVarP(&c.archive, "archive", "a", false, "keep owners, set-id bits and extended attributes")
	cmd.Flags().BoolVarP(&c.follow, "follow-link", "L", false, "of a link, copy what it leads to")
	cmd.Flags().BoolVarP(&c.quiet, "quiet", "q", false, "do not say what was copied")
	return cmd
}

// cpPath is a path in a container, or of the host where no container is named.
type cpPath struct{ container, path string }

// parseCpPath reads CONTAINER:PATH, or a path.
// Compat(moby): what is taken for which.
func parseCpPath(text string) cpPath {
	name, rest, found := strings.Cut(text, ":")
	if !found || filepath.IsAbs(text) || strings.HasPrefix(name, ".") {
		return cpPath{"", text}
	}
	return cpPath{name, rest}
}

// String is what was given.
func (c cpPath) String() string {
	if c.container == "" {
		return c.path
	}
	return c.container + ":" + c.path
}

func (p *program) cp(ctx context.Context, c copying, src, dst string) error {
	from, to := parseCpPath(src), parseCpPath(dst)
	switch {
	case from.container != "" && to.container != "":
		return errors.New("copying between containers is not supported")
	case from.container == "" && to.container == "":
		return errors.New("must specify at least one container source")
	}
	if err := checkHostPath(from, to); err != nil {
		return err
	}
	within := from
	if to.container != "" {
		within = to
	}
	found, view, err := p.view(ctx, within.container)
	if err != nil {
		return err
	}
	defer view.Close()
	bytes, err := p.copy(ctx, c, view, from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return notThere(within, err)
	}
	if err != nil {
		return err
	}
	action := "archive-path" // Compat(moby): the events
	if to.container != "" {
		action = "extract-to-dir"
	}
	note(found, action, map[string]string{"path": path.Join("/", within.path)})
	if !c.quiet && to.path != "-" {
		fmt.Fprintf(p.err, "Successfully copied %s to %s\n", listing.Size(bytes), to)
	}
	return nil
}

// checkHostPath tells what is missing on the host, so that what is missing later is
// the container's.
// Compat(moby): its words.
func checkHostPath(from, to cpPath) error {
	if from.container == "" && from.path != "-" {
		_, err := os.Lstat(from.path)
		return err
	}
	dir := filepath.Dir(to.path)
	if fi, err := os.Stat(dir); to.container == "" && to.path != "-" && (err != nil || !fi.IsDir()) {
		return fmt.Errorf("invalid output path: directory %q does not exist", dir)
	}
	return nil
}

// view finds a container, and opens its files.
func (p *program) view(ctx context.Context, ref string) (*container.Container, *rootview.View, error) {
	found, err := p.container(ref)
	if err != nil {
		return nil, nil, err
	}
	v, err := rootview.Open(ctx, found)
	return found, v, err
}

// notThere says in Docker's words that there is no such file.
// Compat(moby): "Could not find the file".
func notThere(within cpPath, err error) error {
	return fmt.Errorf("Could not find the file %s in container %s [%w]", within.path, within.container, err)
}

// copy copies in the direction that the paths say.
func (p *program) copy(ctx context.Context, c copying, view *rootview.View, from, to cpPath) (int64, error) {
	o := treecopy.Options{Archive: c.archive, Follow: c.follow}
	switch {
	case to.container == "" && to.path == "-":
		if isTerminal(p.out) {
			return 0, errors.New("standard output is a terminal [redirect it]")
		}
		w := bufio.NewWriterSize(p.out, 1<<16)
		n, err := treecopy.Pack(w, view.Place(), from.path, o)
		return n, errors.Join(err, w.Flush())
	case from.container == "" && from.path == "-":
		return treecopy.Unpack(p.in, view.Place(), to.path, o)
	}
	host, err := treecopy.Host()
	if err != nil {
		return 0, err
	}
	defer host.Root.Close()
	if to.container != "" {
		src, err := absolutePath(from.path)
		if err != nil {
			return 0, err
		}
		return treecopy.Copy(ctx, host, src, view.Place(), to.path, o)
	}
	dst, err := absolutePath(to.path)
	if err != nil {
		return 0, err
	}
	return treecopy.Copy(ctx, view.Place(), from.path, host, dst, o)
}

// absolutePath is a path of the host, with the slash or dot at its end that says
// what is meant.
func absolutePath(text string) (string, error) {
	abs, err := filepath.Abs(text)
	switch {
	case text == "." || strings.HasSuffix(text, "/."):
		abs = strings.TrimSuffix(abs, "/") + "/."
	case strings.HasSuffix(text, "/"):
		abs = strings.TrimSuffix(abs, "/") + "/"
	}
	return abs, err
}
