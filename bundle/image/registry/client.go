package registry

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// Options say how registries are spoken to.
type Options struct {
	// Config are mirrors, certificates and where plain http is allowed.
	Config *Config
	// Keychain has the credentials. nil: those of `docker login` and `podman
	// login`, also in credential helpers.
	Keychain authn.Keychain
	// Patience is how long a download that broke off is tried again without a byte
	// coming. 0: a minute.
	Patience time.Duration
	// Progress is told of downloads that go on, and of how far layers were sent.
	Progress progress.Func
}

// Client speaks to registries.
type Client struct{ o Options }

// New makes a client.
func New(o Options) *Client {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	return &Client{o}
}

// Image is the image of a name, for a platform where there are several. Its
// blobs come when they are read.
//
// Errors: [image.ErrNotFound]; [ErrDenied]; an [image.RejectedError]; those of
// the network. Where several places were asked, each says why it was none.
func (c *Client) Image(ctx context.Context, name image.Name, platform v1.Platform) (*image.Image, error) {
	r, err := c.repository(name)
	if err != nil {
		return nil, err
	}
	d, raw, err := r.manifest(ctx, name.Identifier())
	if err != nil {
		return nil, err
	}
	return image.ResolveDocument(ctx, r, d, raw, platform)
}

// places are where a name's repository is: its registry's mirrors, then the
// registry. What is set for this program counts, else containerd's settings, else
// those of podman.
func (c *Config) places(name image.Name) ([]*place, error) {
	if c == nil {
		return []*place{{host: name.Host(), path: name.Path()}}, nil
	}
	if _, ours := c.Registries[name.Host()]; !ours {
		if places, err := c.hosts(name.Host(), name.Path()); len(places) > 0 || err != nil {
			return places, err
		}
		if r, err := c.containersRegistry(name.Repository()); r != nil {
			return r.places(c, name.Repository())
		} else if err != nil {
			return nil, err
		}
	}
	var places []*place
	for _, mirror := range c.of(name.Host()).Mirrors {
		mirror = strings.TrimPrefix(mirror, "https://")
		host, prefix, _ := strings.Cut(strings.Trim(mirror, "/"), "/")
		places = append(places, &place{host: host, path: strings.TrimPrefix(prefix+"/"+name.Path(), "/"), settings: c.of(host)})
	}
	return append(places, &place{host: name.Host(), path: name.Path(), settings: c.of(name.Host())}), nil
}

// repository is a name's repository, wherever it is.
type repository struct {
	client *Client
	places []*place
	local  bool // the registry is on this machine
}

func (c *Client) repository(name image.Name) (*repository, error) {
	places, err := c.o.Config.places(name)
	return &repository{client: c, places: places, local: isLoopback(&url.URL{Host: name.Host()})}, err
}

// manifest fetches a document from the first place that has it.
func (r *repository) manifest(ctx context.Context, identifier string) (v1.Descriptor, []byte, error) {
	var errs []error
	_, byTag := v1.NewHash(identifier)
	for _, p := range r.places {
		if byTag != nil && p.noTags || byTag == nil && p.noDigests {
			continue
		}
		d, raw, err := p.manifest(ctx, r.client.o.Keychain, identifier)
		if err == nil {
			return d, raw, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return v1.Descriptor{}, nil, joined(errs)
}

// joined is one error in one line.
func joined(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &allFailed{errs}
}

// allFailed is what each of several places said.
type allFailed struct{ errs []error }

func (a *allFailed) Error() string {
	lines := make([]string, len(a.errs))
	for i, err := range a.errs {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "; ")
}

func (a *allFailed) Unwrap() []error { return a.errs }

// ErrDenied says that a registry wants other credentials.
var ErrDenied = errors.New("access denied (log in with docker login or podman login)")

// errNotAllowed is about places that no request goes to.
var errNotAllowed = errors.New("not allowed")
