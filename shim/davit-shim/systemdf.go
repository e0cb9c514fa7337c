package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/build"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/internal/diskusage"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/volume"
)

// diskUse has the flags of davit-shim system df.
type diskUse struct {
	verbose bool
	format  string
}

// diskUseCommand is davit-shim system df.
func (p *program) diskUseCommand() *cobra.Command {
	var u diskUse
	cmd := &cobra.Command{
		Use:   "df",
		Short: "show how much room images, containers and volumes take",
		Long: `Shows how much room is taken on disk, and how much of it prune would free: of images
that no container uses, of containers that do not run, of volumes that no container
has, and of what builds remember. What several images share counts once; with
--verbose each image has what it shares, and what is its own alone. --format takes
Type, TotalCount, Active, Size and Reclaimable.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.diskUse(cmd.Context(), u) },
	}
	cmd.Flags().BoolVarP(&u.verbose, "verbose", "v", false, "show each thing")
	cmd.Flags().StringVar(&u.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	return cmd
}

func (p *program) diskUse(ctx context.Context, u diskUse) error {
	if u.verbose && u.format != "" {
		return errors.New("--format is for the sums, not for --verbose")
	}
	room, err := p.measure(ctx)
	if err != nil {
		return err
	}
	if u.verbose {
		return room.printAll(p)
	}
	return roomListing.Print(p.out, u.format, []listing.Row{
		room.imagesSum().row("Images"), room.containersSum().row("Containers"), room.volumesSum().row("Local Volumes"), room.buildsSum().row("Build Cache"),
	})
}

// roomListing are the sums.
// Compat(moby): the columns.
var roomListing = listing.Listing{
	Columns: []listing.Column{
		{Name: "Type", Header: "TYPE"}, {Name: "TotalCount", Header: "TOTAL"}, {Name: "Active", Header: "ACTIVE"},
		{Name: "Size", Header: "SIZE"}, {Name: "Reclaimable", Header: "RECLAIMABLE"},
	},
	Table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
}

// sum is what there is of one kind; sizes in bytes.
type sum struct {
	total, active     int
	size, reclaimable int64
}

func (s sum) row(kind string) listing.Row {
	free := listing.Size(s.reclaimable)
	if s.size > 0 {
		free += fmt.Sprintf(" (%d%%)", 100*s.reclaimable/s.size)
	}
	return listing.Row{"Type": kind, "TotalCount": strconv.Itoa(s.total), "Active": strconv.Itoa(s.active), "Size": listing.Size(s.size), "Reclaimable": free}
}

// room is all that takes room.
type room struct {
	images     []imageRoom
	containers []containerRoom
	volumes    []volumeRoom
	builds     []buildRoom
	parts      map[string]int64 // of images: blobs and layers, in bytes
	sharers    map[string]int   // how many images have a part
	now        time.Time
}

type imageRoom struct {
	*store.Image
	parts      []string
	containers int
}

type containerRoom struct {
	seen
	size int64
}

type volumeRoom struct {
	volume.Volume
	size int64
}

type buildRoom struct {
	id, kind string
	size     int64
	used     time.Time
}

func (p *program) measure(ctx context.Context) (*room, error) {
	r := &room{parts: map[string]int64{}, sharers: map[string]int{}, now: p.now()}
	for _, step := range [...]func(context.Context, *room) error{p.measureContainers, p.measureImages, p.measureVolumes} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (p *program) measureContainers(_ context.Context, r *room) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	list, err := s.List()
	for _, c := range list {
		state, failed := c.State()
		size, unmeasured := writtenIn(c)
		if errors.Is(failed, container.ErrNotExist) {
			continue // it was removed just now
		}
		err = errors.Join(err, failed, unmeasured)
		r.containers = append(r.containers, containerRoom{seen{c, state}, size})
	}
	return err
}

// measureImages looks at each blob and each layer once. Layers of no image are what
// builds remember.
func (p *program) measureImages(ctx context.Context, r *room) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	images, err := s.Images(ctx)
	if err != nil {
		return err
	}
	for _, img := range images {
		r.addImage(img)
	}
	if err := r.measureLayers(filepath.Join(s.Root(), "layers")); err != nil {
		return err
	}
	caches, err := build.Caches(s.Root())
	for _, c := range caches {
		r.builds = append(r.builds, buildRoom{c.Name, "cache mount", c.Size, c.Used})
	}
	return err
}

func (r *room) addImage(img *store.Image) {
	i := imageRoom{Image: img}
	add := func(part string, size int64) {
		if slices.Contains(i.parts, part) {
			return
		}
		i.parts = append(i.parts, part)
		r.parts[part], r.sharers[part] = size, r.sharers[part]+1
	}
	size, _ := img.Size()
	add(img.Descriptor().Digest.String(), size)
	if m, err := img.Manifest(); err == nil {
		add(m.Config.Digest.String(), m.Config.Size)
	}
	for _, d := range img.LayerDescriptors() {
		add(d.Digest.String(), d.Size)
	}
	for _, id := range img.ChainIDs() {
		add(id.Hex, 0) // until it is measured
	}
	for _, c := range r.containers {
		if c.Config.Image == img.Descriptor().Digest.String() || c.Config.ImageID == img.ID().String() {
			i.containers++
		}
	}
	r.images = append(r.images, i)
}

// measureLayers measures the layers that are unpacked, of which each may be there in
// several forms.
func (r *room) measureLayers(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		size, failed := diskusage.Of(filepath.Join(dir, e.Name()))
		info, gone := e.Info()
		if errors.Is(failed, fs.ErrNotExist) || gone != nil {
			continue
		}
		err = errors.Join(err, failed)
		const digits = 64
		chain := e.Name()[:min(digits, len(e.Name()))]
		if _, ofImage := r.sharers[chain]; ofImage {
			r.parts[chain] += size
		} else {
			r.builds = append(r.builds, buildRoom{chain, "layer", size, info.ModTime()})
		}
	}
	return err
}

func (p *program) measureVolumes(_ context.Context, r *room) error {
	s, err := p.volumes()
	if err != nil {
		return err
	}
	list, err := s.List()
	for _, v := range list {
		size, failed := s.Size(v.Name)
		if errors.Is(failed, volume.ErrNotExist) {
			continue
		}
		err = errors.Join(err, failed)
		r.volumes = append(r.volumes, volumeRoom{v, size})
	}
	return err
}

func (r *room) imagesSum() sum {
	s := sum{total: len(r.images)}
	used := map[string]bool{}
	for _, i := range r.images {
		if i.containers == 0 {
			continue
		}
		s.active++
		for _, part := range i.parts {
			used[part] = true
		}
	}
	for part, size := range r.parts {
		s.size += size
		if !used[part] {
			s.reclaimable += size
		}
	}
	return s
}

// sumOf adds up what could go where it is not in use.
func sumOf[T any](all []T, each func(T) (size int64, used bool)) sum {
	s := sum{total: len(all)}
	for _, one := range all {
		size, used := each(one)
		s.size += size
		if used {
			s.active++
		} else {
			s.reclaimable += size
		}
	}
	return s
}

func (r *room) containersSum() sum {
	return sumOf(r.containers, func(c containerRoom) (int64, bool) { return c.size, c.state.Alive() })
}

func (r *room) volumesSum() sum {
	return sumOf(r.volumes, func(v volumeRoom) (int64, bool) { return v.size, len(v.Users) > 0 })
}

func (r *room) buildsSum() sum {
	return sumOf(r.builds, func(b buildRoom) (int64, bool) { return b.size, false })
}

// sizes are what an image has, what others have too, and what it has alone.
func (r *room) sizes(i imageRoom) (all, shared, unique int64) {
	for _, part := range i.parts {
		all += r.parts[part]
		if r.sharers[part] > 1 {
			shared += r.parts[part]
		}
	}
	return all, shared, all - shared
}

// printAll prints a table for each kind.
func (r *room) printAll(p *program) error {
	for _, t := range []struct {
		title, columns string
		rows           []listing.Row
	}{
		{"Images", "REPOSITORY|TAG|IMAGE ID|CREATED|SIZE|SHARED SIZE|UNIQUE SIZE|CONTAINERS", r.imageRows()},
		{"Containers", "CONTAINER ID|IMAGE|COMMAND|LOCAL VOLUMES|SIZE|CREATED|STATUS|NAMES", r.containerRows()},
		{"Local Volumes", "VOLUME NAME|LINKS|SIZE", r.volumeRows()},
		{"Build Cache", "CACHE ID|CACHE TYPE|SIZE|LAST USED", r.buildRows()},
	} {
		l := listing.Listing{}
		var fields []string
		for i, header := range strings.Split(t.columns, "|") {
			name := "C" + strconv.Itoa(i)
			l.Columns = append(l.Columns, listing.Column{Name: name, Header: header})
			fields = append(fields, "{{."+name+"}}")
		}
		l.Table = strings.Join(fields, "\t")
		fmt.Fprintf(p.out, "%s space usage:\n\n", t.title)
		if err := l.Print(p.out, "", t.rows); err != nil {
			return err
		}
		fmt.Fprintln(p.out)
	}
	return nil
}

// cells are a row of such a table.
func cells(values ...string) listing.Row {
	row := listing.Row{}
	for i, v := range values {
		row["C"+strconv.Itoa(i)] = v
	}
	return row
}

func (r *room) imageRows() (rows []listing.Row) {
	for _, i := range r.images {
		all, shared, unique := r.sizes(i)
		for _, n := range namesOf(i.Image) {
			repository, tag := listing.None, listing.None
			if !n.IsZero() {
				repository = n.FamiliarRepository()
			}
			if n.Tag() != "" {
				tag = n.Tag()
			}
			rows = append(rows, cells(repository, tag, listing.Short(i.ID().String()), listing.Ago(created(i.Image), r.now),
				listing.Size(all), listing.Size(shared), listing.Size(unique), strconv.Itoa(i.containers)))
		}
	}
	return rows
}

func (r *room) containerRows() (rows []listing.Row) {
	for _, c := range r.containers {
		rows = append(rows, cells(listing.Short(c.Config.ID), roster{}.image(c.Config.ImageName), roster{}.command(c.Config), strconv.Itoa(len(c.Config.Volumes)),
			listing.Size(c.size), listing.Ago(c.Config.Created, r.now), statusText(c.state, r.now), c.Config.Name))
	}
	return rows
}

func (r *room) volumeRows() (rows []listing.Row) {
	for _, v := range r.volumes {
		rows = append(rows, cells(v.Name, strconv.Itoa(len(v.Users)), listing.Size(v.size)))
	}
	return rows
}

func (r *room) buildRows() (rows []listing.Row) {
	for _, b := range r.builds {
		rows = append(rows, cells(listing.Short(b.id), b.kind, listing.Size(b.size), listing.Ago(b.used, r.now)))
	}
	return rows
}
