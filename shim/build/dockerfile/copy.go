package dockerfile

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// copy is COPY.
func (c *compiler) copy(cmd *instructions.CopyCommand, step *Step) error {
	for _, p := range cmd.SourcePaths {
		if isRemote(p) {
			return fmt.Errorf("%s: COPY takes files of the context [ADD fetches]", p)
		}
	}
	step.Copy = &Copy{From: c.source(cmd.From), Paths: cmd.SourcePaths, Exclude: cmd.ExcludePatterns, Parents: cmd.Parents}
	return c.copying(step, cmd.SourcesAndDest, cmd.Chown, cmd.Chmod)
}

// add is ADD, which unpacks archives.
func (c *compiler) add(cmd *instructions.AddCommand, step *Step) error {
	step.Copy = &Copy{From: Source{Kind: Context}, Paths: cmd.SourcePaths, Exclude: cmd.ExcludePatterns, Extract: true}
	if cmd.Unpack != nil {
		step.Copy.Extract = *cmd.Unpack
	}
	for _, p := range cmd.SourcePaths {
		if isRemote(p) {
			return c.remote(cmd, step)
		}
	}
	if cmd.Checksum != "" {
		return errors.New("--checksum is for a file that is fetched")
	}
	return c.copying(step, cmd.SourcesAndDest, cmd.Chown, cmd.Chmod)
}

// isRemote tells whether a source is fetched.
func isRemote(source string) bool {
	return strings.Contains(source, "://") || strings.HasPrefix(source, "git@")
}

// remote is ADD of a file that is fetched, which is known by its checksum: what a
// server would give the next time is not what was built with.
func (c *compiler) remote(cmd *instructions.AddCommand, step *Step) error {
	source := cmd.SourcePaths[0]
	u, err := url.Parse(source)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https" || strings.HasSuffix(u.Path, ".git"):
		return fmt.Errorf("%s: ADD fetches files by http and https alone [clone repositories in a RUN]", source)
	case len(cmd.SourcePaths) > 1:
		return fmt.Errorf("%s: what is fetched is the only source", source)
	case cmd.Checksum == "":
		return fmt.Errorf("%s: what is fetched needs --checksum=sha256:DIGEST", source)
	}
	h, err := v1.NewHash(cmd.Checksum)
	if err != nil || h.Algorithm != "sha256" {
		return fmt.Errorf("--checksum %q: it is sha256:DIGEST", cmd.Checksum)
	}
	name := path.Base(path.Join("/", u.Path))
	if name == "/" {
		return fmt.Errorf("%s: it names no file", source)
	}
	step.Copy.Paths, step.Copy.Remote = nil, &Remote{URL: source, Digest: h.String(), Name: name}
	step.Copy.Extract = cmd.Unpack != nil && *cmd.Unpack
	return c.copying(step, cmd.SourcesAndDest, cmd.Chown, cmd.Chmod)
}

// copying is what COPY and ADD have in common. With --link they are the same as
// without: it is about how layers are put together, and not about what is in them.
func (c *compiler) copying(step *Step, where instructions.SourcesAndDest, owner, mode string) error {
	step.Copy.Dest, step.Copy.Owner = c.destination(where.DestPath), owner
	for _, f := range where.SourceContents {
		step.Copy.Inline = append(step.Copy.Inline, Inline{Name: path.Base(f.Path), Data: f.Data})
	}
	if mode != "" {
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil || bits > 0o7777 {
			return fmt.Errorf("--chmod %q: it is an octal number up to 7777", mode)
		}
		step.Copy.Mode = number(&bits)
	}
	if several := len(where.SourcePaths)+len(where.SourceContents) > 1; several && !strings.HasSuffix(step.Copy.Dest, "/") {
		return fmt.Errorf("%s: with several sources it is a directory, and ends in a slash", where.DestPath)
	}
	return nil
}

// destination is a place in the root file system. A slash at the end stays: it
// makes a directory of it.
func (c *compiler) destination(given string) string {
	dest := path.Join("/", c.workdir(), given)
	if path.IsAbs(given) {
		dest = path.Clean(given)
	}
	if dest != "/" && (strings.HasSuffix(given, "/") || strings.HasSuffix(given, "/.") || given == ".") {
		dest += "/"
	}
	return dest
}
