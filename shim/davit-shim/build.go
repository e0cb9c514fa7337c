package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/sys/userns"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build"
	"github.com/davit-containers/davit/shim/build/dockerfile"
	"github.com/davit-containers/davit/shim/build/show"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/rootless"
)

// building has the flags of davit-shim build.
type building struct {
	hosts                           []string
	file, target, platform, network string
	progress, idFile, compression   string
	tags, args, labels, secrets     []string
	output                          string
	cacheLimit                      string
	noCache, pull, quiet            bool
}

// buildCommand is davit-shim build.
func (p *program) buildCommand() *cobra.Command {
	var b building
	cmd := &cobra.Command{
		Use:   "build DIR | build -",
		Short: "make an image of a Dockerfile",
		Long: `Makes an image of the Dockerfile in DIR, which is the context: the files that COPY
and ADD take. With - the context is a tar archive on standard input, or nothing but
a Dockerfile. Prints the image's ID.

What a step came to is kept in the store, and taken again as long as the step and
what it depends on stay the same. Stages that do not need one another are built
side by side, and those that the target does not need not at all. What RUN starts
has the rights of a container by default. When the build ends, however it does,
nothing of it is left running.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.build(cmd.Context(), b, args[0]) },
	}
	b.add(cmd)
	return cmd
}

func (b *building) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&b.file, "file", "f", "", "read the Dockerfile `FILE`, or - for standard input (default is Dockerfile or Containerfile in the context)")
	fs.StringArrayVarP(&b.tags, "tag", "t", nil, "give the image the `NAME`")
	fs.StringArrayVar(&b.args, "build-arg", nil, "set a build argument, `NAME=VALUE`; NAME alone takes the caller's value")
	fs.StringArrayVar(&b.labels, "label", nil, "add a label to the image, `NAME=VALUE`")
	fs.StringVar(&b.target, "target", "", "build the stage `NAME`, and what it needs (default is the last)")
	fs.StringVar(&b.platform, "platform", "", "build for `OS/ARCHITECTURE[/VARIANT]` (default is this machine's)")
	fs.StringVar(&b.network, "network", build.DefaultNetwork, "network of what RUN starts: `WHICH` is default, as containers have it, none or host")
	fs.StringArrayVar(&b.hosts, "add-host", nil, "write `NAME:ADDRESS` into the hosts file; the address may be host-gateway")
	fs.StringArrayVar(&b.secrets, "secret", nil, "give RUN --mount=type=secret a file or a variable, `id=ID[,src=FILE|,env=NAME]`")
	fs.BoolVar(&b.noCache, "no-cache", false, "do each step anew")
	fs.StringVar(&b.cacheLimit, "cache-limit", "20g", "forget what was not used for longest where remembered steps, or the directories of RUN --mount=type=cache, have more than `SIZE`; 0 for never")
	fs.BoolVar(&b.pull, "pull", false, "fetch the base images also where they are there")
	fs.StringVarP(&b.output, "output", "o", "", "write what was built: `HOW` is type=local,dest=DIR, type=tar,dest=FILE, type=docker,dest=FILE, type=oci,dest=FILE or type=image; DIR alone is a directory, - a tar archive on standard output")
	fs.StringVar(&b.idFile, "iidfile", "", "write the image's ID to `FILE`")
	fs.StringVar(&b.compression, "compression", "gzip", "compress layers by `HOW`: gzip, zstd or none")
	fs.StringVar(&b.progress, "progress", "auto", "show progress on standard error: `HOW` is auto, tty, plain, json or none")
	fs.BoolVarP(&b.quiet, "quiet", "q", false, "say only what it came to")
}

// build goes on alone, so that whatever ends it ends all that it has started.
func (p *program) build(ctx context.Context, b building, dir string) error {
	status, done, err := rootless.Alone(p.inside)
	if err != nil {
		return err
	}
	if done {
		return exitWith(status)
	}
	screen, err := b.screen(p.err)
	if err != nil {
		return err
	}
	img, err := p.buildImage(ctx, b, dir, screen)
	screen.Close()
	if err != nil || img == nil {
		return err
	}
	if b.idFile != "" {
		if err := os.WriteFile(b.idFile, []byte(img.ID().String()), 0o644); err != nil {
			return err
		}
	}
	if !b.toStdout() {
		fmt.Fprintln(p.out, img.ID())
	}
	return nil
}

// exitWith is the error for an exit status.
func exitWith(status int) error {
	if status == 0 {
		return nil
	}
	return exitStatus(status)
}

func (b *building) screen(w io.Writer) (*show.Screen, error) {
	if b.quiet {
		return show.New("none", w)
	}
	return show.New(b.progress, w)
}

// buildImage builds. The image is nil where only files were wanted.
func (p *program) buildImage(ctx context.Context, b building, dir string, screen *show.Screen) (*store.Image, error) {
	out, err := b.parseOutput()
	if err != nil {
		return nil, err
	}
	o, err := p.buildOptions(b)
	if err != nil {
		return nil, err
	}
	in, err := p.openContext(ctx, b, dir, o)
	if err != nil {
		return nil, err
	}
	defer in.close()
	o.Context, o.Ignore, o.Report = in.root, in.ignore, screen.Show
	o.File = func(images dockerfile.Images) (*dockerfile.File, error) {
		read, err := b.reading()
		if err != nil {
			return nil, err
		}
		read.Images = images
		return dockerfile.Read(strings.NewReader(in.text), read)
	}
	o.Image = out.image()
	if !o.Image {
		o.Output = p.writeFiles(out)
	}
	img, err := build.Build(ctx, *o)
	if err != nil || img == nil {
		return nil, err
	}
	return img, p.writeImage(ctx, o, img, out)
}

// networking is what the flags say of the network. A user's programs have the host's by
// default: bridges are root's.
func (b *building) networking(inside bool) (hosts []network.HostEntry, err error) {
	switch b.network {
	case build.NoNetwork, build.HostNetwork:
	case build.DefaultNetwork, network.DefaultName:
		if b.network = build.DefaultNetwork; inside {
			b.network = build.HostNetwork
		}
	default:
		return nil, fmt.Errorf("--network %q: it is default, none or host", b.network)
	}
	for _, text := range b.hosts {
		e, err := network.ParseHost(text)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, e)
	}
	return hosts, nil
}

// buildOptions are what the flags say, but for the context.
func (p *program) buildOptions(b building) (*build.Options, error) {
	hosts, err := b.networking(userns.RunningInUserNS())
	if err != nil {
		return nil, err
	}
	if !slices.Contains(compressions, b.compression) {
		return nil, fmt.Errorf("--compression %q: it is gzip, zstd or none", b.compression)
	}
	o := &build.Options{
		NoCache: b.noCache, Network: b.network, Hosts: hosts, Compression: store.Compression(b.compression), Rootless: userns.RunningInUserNS(),
		Warn: func(text string) { fmt.Fprintf(p.err, "%s: %s\n", name, text) },
	}
	if o.CacheLimit, err = units.RAMInBytes(b.cacheLimit); err != nil || o.CacheLimit < 0 {
		return nil, fmt.Errorf("--cache-limit %q: it is no size", b.cacheLimit)
	}
	mapping, err := rootless.Current()
	if err != nil {
		return nil, err
	}
	o.OneOwner = mapping.OneID
	if o.Store, err = p.store(); err != nil {
		return nil, err
	}
	containers, err := container.Open(o.Store.Root())
	if err != nil {
		return nil, err
	}
	o.Run, o.Filters = containers.Run(), containers.Filters()
	if o.Names, err = givenNames(b.tags); err != nil {
		return nil, err
	}
	o.Fetch = func(ctx context.Context, ref, platform string) (*store.Image, error) {
		return p.baseImage(ctx, o.Store, ref, platform, b.pull)
	}
	o.Secrets, err = parseSecrets(b.secrets)
	return o, err
}

// reading are the options for the Dockerfile.
func (b *building) reading() (dockerfile.Options, error) {
	o := dockerfile.Options{Target: b.target, Platform: image.Host(), Host: image.Host()}
	if b.platform != "" {
		platform, err := image.ParsePlatform(b.platform)
		if err != nil {
			return o, err
		}
		o.Platform = platform
	}
	o.Args = map[string]string{}
	for _, text := range b.args {
		key, value, given := strings.Cut(text, "=")
		if !given {
			if value, given = os.LookupEnv(key); !given {
				continue // Compat(moby): NAME without a value is as if it were not there
			}
		}
		o.Args[key] = value
	}
	var err error
	o.Labels, err = labelsOf("--label", b.labels)
	return o, err
}

// labelsOf are NAME=VALUE of each.
func labelsOf(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		if key == "" {
			return nil, fmt.Errorf("%s %q: it is NAME=VALUE", flag, text)
		}
		m[key] = value
	}
	return m, nil
}

// parseSecrets reads --secret id=ID[,src=FILE|,env=NAME].
func parseSecrets(list []string) (map[string]build.Secret, error) {
	secrets := map[string]build.Secret{}
	for _, text := range list {
		var id string
		var s build.Secret
		for field := range strings.SplitSeq(text, ",") {
			key, value, _ := strings.Cut(field, "=")
			switch key {
			case "id":
				id = value
			case "src", "source":
				s.File = value
			case "env":
				s.Env = value
			case "type":
				if value != "file" && value != "env" {
					return nil, fmt.Errorf("--secret %q: no type %q", text, value)
				}
			default:
				return nil, fmt.Errorf("--secret %q: no field %q", text, key)
			}
		}
		if id == "" || s.File != "" && s.Env != "" {
			return nil, fmt.Errorf("--secret %q: it is id=ID[,src=FILE|,env=NAME]", text)
		}
		if s.File == "" && s.Env == "" { // Compat(buildkit): the file, or the variable, of that name
			s.Env = id
			if _, set := os.LookupEnv(id); !set {
				s.Env, s.File = "", id
			}
		}
		secrets[id] = s
	}
	return secrets, nil
}

// baseImage is the image that a Dockerfile names: that of the store, or else a
// registry's. A Dockerfile names no archives: they would be files of the host.
func (p *program) baseImage(ctx context.Context, s *store.Store, ref, platform string, pull bool) (*store.Image, error) {
	wanted, err := image.ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	img, err := s.Get(ctx, ref)
	if err == nil && isFor(img, wanted) && isNamed(img, ref) && !(pull && !strings.HasPrefix(img.ID().Hex, ref)) {
		return img, nil
	}
	if err != nil && !errors.Is(err, image.ErrNotFound) && !errors.Is(err, store.ErrAmbiguous) {
		return nil, err
	}
	n, err := image.ParseName(ref)
	if err != nil {
		return nil, err
	}
	at, err := image.ParseLocation(n.String())
	if err != nil {
		return nil, err
	}
	all, err := fetch(ctx, s, at, transfer{platform: platform}, nil, func(progress.Event) {})
	if err != nil {
		return nil, fmt.Errorf("pulling %s: %w", ref, err)
	}
	return all[0].Image, nil
}

// isFor tells whether an image is for a platform.
func isFor(img *store.Image, want v1.Platform) bool {
	have := img.Platform()
	return have.Architecture == "" || have.OS == want.OS && have.Architecture == want.Architecture
}

// isNamed tells whether an image was found by a name, or by so much of its ID that
// it can be no name.
func isNamed(img *store.Image, ref string) bool {
	const enough = 12
	hex := strings.TrimPrefix(ref, "sha256:")
	if len(hex) >= enough && (strings.HasPrefix(img.ID().Hex, hex) || strings.HasPrefix(img.Descriptor().Digest.Hex, hex)) {
		return true
	}
	n, err := image.ParseName(ref)
	if err != nil {
		return false
	}
	_, byDigest := n.Digest()
	return byDigest || slices.Contains(img.Names, n)
}

// defaultFiles are the names that a Dockerfile may have.
var defaultFiles = []string{"Dockerfile", "Containerfile"}

// contextOf is a directory of the context, absolute.
func contextOf(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}
