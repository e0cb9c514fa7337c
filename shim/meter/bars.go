package meter

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/davit-containers/davit/bundle/progress"
)

// bars shows a bar for each layer.
type bars struct {
	all    *mpb.Progress
	layers map[string]*bar
}

// bar is that of a layer, and what is done with it now.
type bar struct {
	*mpb.Bar
	phase atomic.Value // progress.Phase; the bars are drawn by a goroutine of their own
}

func (b *bar) is() progress.Phase { return b.phase.Load().(progress.Phase) }

func newBars(w io.Writer) *bars {
	return &bars{
		all:    mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh()),
		layers: map[string]*bar{},
	}
}

// finished are the phases after which a bar is full. Another phase of the same
// layer begins it anew.
func finished(p progress.Phase) bool {
	return p == progress.Exists || p == progress.Downloaded || p == progress.Unpacked || p == progress.Written
}

func (b *bars) show(e progress.Event, first bool) {
	if e.Phase == progress.Resolving {
		return // that has no end to draw
	}
	one := b.layers[e.Layer]
	if one == nil {
		one = b.add(e)
	}
	one.phase.Store(e.Phase)
	if first {
		one.SetTotal(max(e.Total, 1), false)
	}
	if finished(e.Phase) {
		one.SetCurrent(max(e.Total, 1))
		return
	}
	one.SetCurrent(e.Done)
}

// add makes a layer's bar. It is full only when all work ends: a layer that was
// downloaded is unpacked next.
func (b *bars) add(e progress.Event) *bar {
	one := &bar{}
	one.phase.Store(e.Phase)
	one.Bar = b.all.AddBar(0,
		mpb.PrependDecorators(
			decor.Name(name(e.Layer), decor.WC{W: 14, C: decor.DindentRight}),
			decor.Any(func(decor.Statistics) string { return string(one.is()) }, decor.WC{W: 12, C: decor.DindentRight}),
		),
		mpb.AppendDecorators(decor.Counters(decor.SizeB1000(0), "% .1f / % .1f")),
	)
	b.layers[e.Layer] = one
	return one
}

func (b *bars) close() {
	for _, one := range b.layers {
		if finished(one.is()) {
			one.SetTotal(-1, true)
			continue
		}
		one.Abort(false)
	}
	b.all.Wait()
}
