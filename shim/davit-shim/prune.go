package main

import (
	"context"
	"errors"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// pruneCommand is davit-shim prune.
func (p *program) pruneCommand() *cobra.Command {
	var c cleaning
	var all, volumes bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove what is not used",
		Long: `Removes the containers that do not run, the networks that no container uses, the
images without a name that no container uses, and what builds remember, with the
directories of RUN --mount=type=cache; with --all every image that no container uses,
with --volumes the anonymous volumes that no container has. What killed calls left
behind goes too.

Filters: label=NAME[=VALUE], label!=NAME[=VALUE], until=TIME|AGE (made before).`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			each := []func(pruneFilter) (int64, error){p.pruneContainers(cmd.Context()), p.pruneNetworks}
			warning := "This will remove all containers that do not run, all networks that no container uses, all images "
			if all {
				warning += "that no container uses"
			} else {
				warning += "without a name that no container uses"
			}
			if volumes {
				each = append(each, p.pruneVolumes(false))
				warning += ", all anonymous volumes that no container has"
			}
			return p.prune(c, warning+".", append(each, p.pruneImages(cmd.Context(), all), p.pruneBuilds(cmd.Context()))...)
		},
	}
	c.add(cmd)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "images with names too")
	cmd.Flags().BoolVar(&volumes, "volumes", false, "anonymous volumes too")
	return cmd
}

// pruneContainers removes the containers that do not run.
func (p *program) pruneContainers(ctx context.Context) func(pruneFilter) (int64, error) {
	return func(f pruneFilter) (freed int64, err error) {
		s, err := p.containers()
		if err != nil {
			return 0, err
		}
		sweep(ctx, s)
		if err := s.TidyNames(); err != nil {
			return 0, err
		}
		list, err := s.List()
		var removed []string
		for _, c := range list {
			if !f.wants(c.Config.Labels, c.Config.Created) || removable(c) != nil {
				continue
			}
			size, _ := writtenIn(c) // what cannot be measured is not counted
			switch failed := p.dispose(ctx, disposal{}, c); {
			case failed == nil:
				removed, freed = append(removed, c.Config.ID), freed+size
			case !errors.Is(failed, container.ErrNotExist) && removable(c) == nil: // otherwise somebody was quicker
				err = errors.Join(err, failed)
			}
		}
		p.printPruned("Deleted Containers:", removed)
		return freed, err
	}
}

// sweepBuilds removes what killed builds left.
func (p *program) sweepBuilds() error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	return build.Sweep(s.Root(), s.Run(), p.inside)
}

// pruneImages removes the images that no container uses: those without a name, or
// all.
func (p *program) pruneImages(ctx context.Context, all bool) func(pruneFilter) (int64, error) {
	return func(f pruneFilter) (int64, error) {
		s, err := p.store()
		if err != nil {
			return 0, err
		}
		if err := releaseGone(s); err != nil {
			return 0, err
		}
		images, err := s.Images(ctx)
		var removed []string
		for _, img := range images {
			if !all && len(img.Names) > 0 || !f.wants(img.Config().Config.Labels, created(img)) {
				continue
			}
			_, failed := s.Remove(ctx, img.ID().String(), true)
			switch {
			case failed == nil:
				removed = append(removed, "deleted: "+img.ID().String())
			case !errors.Is(failed, store.ErrInUse) && !errors.Is(failed, image.ErrNotFound):
				err = errors.Join(err, failed)
			}
		}
		p.printPruned("Deleted Images:", removed)
		freed, failed := collect(ctx, s)
		return freed, errors.Join(err, failed)
	}
}

// collect removes what nothing in the store needs, and tells how much less there is.
func collect(ctx context.Context, s *store.Store) (freed int64, err error) {
	kept := func() (bytes int64) {
		for _, dir := range []string{"images", "layers"} {
			n, _ := diskusage.Of(filepath.Join(s.Root(), dir)) // what cannot be measured is not counted
			bytes += n
		}
		return bytes
	}
	before := kept()
	_, err = s.Collect(ctx)
	return max(0, before-kept()), err
}

// pruneBuilds removes what builds remember, and what killed builds left.
func (p *program) pruneBuilds(ctx context.Context) func(pruneFilter) (int64, error) {
	return func(f pruneFilter) (int64, error) {
		s, err := p.store()
		if err != nil {
			return 0, err
		}
		_, forgetting := s.Forget(ctx, f.unusedSince(p.now()))
		caches, pruning := build.PruneCaches(s.Root(), f.unusedSince(p.now()), math.MaxInt64)
		freed, failed := collect(ctx, s)
		return freed + caches, errors.Join(forgetting, pruning, failed, p.sweepBuilds())
	}
}
