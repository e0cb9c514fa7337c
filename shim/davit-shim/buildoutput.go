package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/archive"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build"
)

// buildOutput is what --output says.
type buildOutput struct{ kind, dest string }

// outputKinds are what type= may be.
var outputKinds = []string{"local", "tar", "docker", "oci", "image"}

// image tells whether an image is wanted, and not only files.
func (o buildOutput) image() bool { return o.kind != "local" && o.kind != "tar" }

func (b *building) toStdout() bool {
	out, err := b.parseOutput()
	return err == nil && out.kind != "image" && out.kind != "local" && out.dest == "-"
}

// parseOutput reads type=TYPE[,dest=PATH], or a path.
func (b *building) parseOutput() (buildOutput, error) {
	switch {
	case b.output == "":
		return buildOutput{kind: "image"}, nil
	case b.output == "-":
		return buildOutput{"tar", "-"}, nil
	case !strings.Contains(b.output, "="):
		return buildOutput{"local", b.output}, nil
	}
	var out buildOutput
	for field := range strings.SplitSeq(b.output, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "type":
			out.kind = value
		case "dest":
			out.dest = value
		case "name":
			b.tags = append(b.tags, value)
		default:
			return out, fmt.Errorf("--output %q: no field %q", b.output, key)
		}
	}
	if !slices.Contains(outputKinds, out.kind) {
		return out, fmt.Errorf("--output %q: the type is local, tar, docker, oci or image", b.output)
	}
	if out.dest == "" && out.kind == "local" {
		return out, errors.New("--output type=local: it needs dest=DIR")
	}
	return out, nil
}

// writeFiles writes the root file system that was built.
func (p *program) writeFiles(out buildOutput) func(context.Context, build.Tree) error {
	return func(ctx context.Context, tree build.Tree) error {
		if out.kind == "local" {
			return tree.WriteTo(ctx, out.dest)
		}
		return p.writeOutput(out.dest, func(w io.Writer) error {
			return diff.Export(ctx, w, diff.Layers(tree.Userxattr, tree.Dirs...), diff.Options{})
		})
	}
}

// writeImage writes the image that was built into an archive, if that is wanted.
func (p *program) writeImage(ctx context.Context, o *build.Options, img *store.Image, out buildOutput) error {
	kinds := map[string]archive.Kind{"docker": archive.Kind(image.DockerArchive), "oci": archive.Kind(image.OCIArchive)}
	kind, wanted := kinds[out.kind]
	if !wanted {
		return nil
	}
	using, err := o.Store.Use(ctx, img)
	if err != nil {
		return err
	}
	defer using.Close()
	items := []layout.Found{{Image: img.Image, Names: o.Names}}
	return p.writeOutput(out.dest, func(w io.Writer) error {
		return archive.Write(ctx, w, items, archive.WriteOptions{Kind: kind})
	})
}
