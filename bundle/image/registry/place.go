package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"unicode"

	"github.com/google/go-containerregistry/pkg/authn"
	libname "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
)

// place is a repository on one host.
type place struct {
	host, path string
	settings   Settings
	// noTags, noDigests and noBlobs say what it is not asked for.
	noTags, noDigests, noBlobs bool

	mu     sync.Mutex
	client *http.Client
}

// accepted are the documents that can be read.
var accepted = []string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}

func (p *place) repo() (libname.Repository, error) {
	var options []libname.Option
	if p.settings.PlainHTTP {
		options = append(options, libname.Insecure)
	}
	return libname.NewRepository(p.host+"/"+p.path, options...)
}

// connect asks the registry how it wants to be authenticated to.
func (p *place) connect(ctx context.Context, keychain authn.Keychain, actions string) (http.RoundTripper, error) {
	repo, err := p.repo()
	if err != nil {
		return nil, err
	}
	auth, err := authn.Resolve(ctx, keychain, repo)
	if err != nil {
		return nil, fmt.Errorf("looking up the credentials of %s: %w", p.host, oneLine(err))
	}
	base, err := newTransport(p.settings, p.host)
	if err != nil {
		return nil, err
	}
	rt, err := transport.NewWithContext(ctx, repo.Registry, auth, base, []string{repo.Scope(actions)})
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", p.host, explain(err))
	}
	return rt, nil
}

// session connects once. A connection that failed is tried again.
func (p *place) session(ctx context.Context, keychain authn.Keychain) (*http.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		return p.client, nil
	}
	rt, err := p.connect(ctx, keychain, transport.PullScope)
	if err != nil {
		return nil, err
	}
	p.client = &http.Client{Transport: rt, CheckRedirect: checkRedirect}
	return p.client, nil
}

// get asks for a manifest or a blob. The body of a good answer is the caller's.
func (p *place) get(ctx context.Context, keychain authn.Keychain, kind, identifier string, header http.Header) (*http.Response, error) {
	client, err := p.session(ctx, keychain)
	if err != nil {
		return nil, err
	}
	repo, err := p.repo()
	if err != nil {
		return nil, err
	}
	url := repo.Scheme() + "://" + repo.RegistryStr() + "/v2/" + repo.RepositoryStr() + "/" + kind + "/" + identifier
	return fetch(ctx, client, url, header)
}

// fetch sends a request. An answer that is none is an error.
func fetch(ctx context.Context, client *http.Client, url string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if err := transport.CheckError(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		resp.Body.Close()
		return nil, explain(err)
	}
	return resp, nil
}

// manifest fetches a document by its tag or its digest.
func (p *place) manifest(ctx context.Context, keychain authn.Keychain, identifier string) (v1.Descriptor, []byte, error) {
	what := p.host + "/" + p.path + ":" + identifier
	resp, err := p.get(ctx, keychain, "manifests", identifier, http.Header{"Accept": accepted})
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("fetching %s: %w", what, err)
	}
	defer resp.Body.Close()
	if resp.ContentLength > image.MaxDocument {
		return v1.Descriptor{}, nil, image.Rejected("fetching %s: the manifest has %d bytes, more than %d", what, resp.ContentLength, image.MaxDocument)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, image.MaxDocument+1))
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("fetching %s: %w", what, err)
	}
	d, err := describe(raw, resp.Header.Get("Content-Type"), identifier)
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("fetching %s: %w", what, err)
	}
	return d, raw, nil
}

// describe makes the descriptor of a document. What was asked for by its digest
// must have it.
func describe(raw []byte, contentType, identifier string) (v1.Descriptor, error) {
	mediaType, err := image.MediaType(raw, contentTypeOf(contentType))
	if err != nil {
		return v1.Descriptor{}, err
	}
	want, err := v1.NewHash(identifier)
	if err != nil {
		return image.Describe(raw, mediaType)
	}
	d := v1.Descriptor{MediaType: mediaType, Size: int64(len(raw)), Digest: want}
	return d, image.Verify(raw, d)
}

// contentTypeOf is a header's media type, or "" where it says nothing.
func contentTypeOf(header string) types.MediaType {
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil || mediaType == "application/json" || mediaType == "application/octet-stream" || strings.HasPrefix(mediaType, "text/") {
		return ""
	}
	return types.MediaType(mediaType)
}

// explain turns what a registry answered into one of our errors.
func explain(err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return image.ErrNotFound
		case http.StatusUnauthorized, http.StatusForbidden:
			return ErrDenied
		}
	}
	return oneLine(err)
}

// oneLine is an error without what a server could do to a terminal with it.
func oneLine(err error) error {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error())
	if len(clean) > 1000 {
		clean = clean[:1000] + "..."
	}
	return &cleaned{clean, err}
}

type cleaned struct {
	text string
	err  error
}

func (c *cleaned) Error() string { return c.text }
func (c *cleaned) Unwrap() error { return c.err }
