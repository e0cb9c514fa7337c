package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
)

// Hold keeps an image and its unpacked layers from being collected until it is
// released, whichever process lives. A container has one.
type Hold struct {
	Name string `json:"name"`
	// Image is the digest of the manifest, ID that of the configuration.
	Image v1.Hash `json:"image"`
	ID    v1.Hash `json:"id"`
	// Chains are the chain IDs of the layers, the lowest first.
	Chains []v1.Hash `json:"chains"`
}

// Hold holds an image of the store under a name. A hold of that name is replaced.
func (s *Store) Hold(ctx context.Context, img *Image, name string) error {
	if err := checkHoldName(name); err != nil {
		return err
	}
	h := Hold{Name: name, Image: img.Descriptor().Digest, ID: img.ID(), Chains: img.ChainIDs()}
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return s.locked(ctx, unix.LOCK_SH, func() error {
		if ok, err := s.hasBlob(img.Descriptor()); err != nil || !ok {
			return errors.Join(fmt.Errorf("holding image %s: %w", h.ID, image.ErrNotFound), err)
		}
		return s.replace(s.path("holds", name), raw)
	})
}

// checkHoldName refuses what is no name of a file.
func checkHoldName(name string) error {
	if name == "" || name[0] == '.' || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("holding an image as %q: that is no name", name)
	}
	return nil
}

// Release ends a hold. That there is none is no error.
func (s *Store) Release(name string) error {
	if err := checkHoldName(name); err != nil {
		return err
	}
	err := os.Remove(s.path("holds", name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Holds are all holds.
func (s *Store) Holds() ([]Hold, error) {
	entries, err := os.ReadDir(s.path("holds"))
	if err != nil {
		return nil, err
	}
	var holds []Hold
	for _, e := range entries {
		h, err := s.readHold(e.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		holds = append(holds, h)
	}
	return holds, nil
}

func (s *Store) readHold(name string) (Hold, error) {
	raw, err := os.ReadFile(s.path("holds", name))
	if err != nil {
		return Hold{}, err
	}
	var h Hold
	if err := json.Unmarshal(raw, &h); err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: %w", name, err)
	}
	return h, nil
}
