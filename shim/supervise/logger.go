package supervise

import (
	"time"

	"github.com/davit-containers/davit/shim/logs"
	"github.com/davit-containers/davit/shim/loop"
)

// flushAfter is how long a line is awaited whose end has not come, such as a
// prompt, before the log has it.
const flushAfter = time.Second

// logger writes a container's outputs to its log, each byte once, whoever is
// killed when: before records are written it is noted where the file ends, and
// what is not noted to be there is taken back and written again, with the same
// time. (A journal takes nothing back: it may have a record twice.)
type logger struct {
	loop    *loop.Loop
	w       *logs.Writer
	outputs [2]*output
	warn    func(string)
	pending *loop.Timer
	stamp   time.Time
	failed  bool // and it was told
}

// newLogger opens the log, and makes it what the outputs' headers say.
func newLogger(l *loop.Loop, c logs.Config, outputs [2]*output, warn func(string)) (*logger, error) {
	for _, o := range outputs {
		if o.Inode == 0 {
			continue
		}
		if err := logs.Cut(c.Path, o.Inode, o.Length); err != nil {
			warn(err.Error())
		}
	}
	w, err := logs.Open(c)
	if err != nil {
		return nil, err
	}
	g := &logger{loop: l, w: w, outputs: outputs, warn: warn}
	w.Clock = func() time.Time { return g.stamp }
	for s, o := range outputs {
		o.log = g
		if o.Inode != 0 {
			g.upTo(logs.Stream(s), o.Writing, time.Unix(0, o.Stamp))
		}
		g.take(logs.Stream(s))
	}
	return g, nil
}

// take writes what has come to an output.
func (g *logger) take(s logs.Stream) {
	o := g.outputs[s]
	g.upTo(s, o.size, time.Now())
	o.free()
	if g.w.Pending() && g.pending == nil {
		g.pending = g.loop.After(flushAfter, func() {
			g.pending = nil
			g.flush()
		})
	}
}

// upTo writes the output up to a position.
func (g *logger) upTo(s logs.Stream, end position, at time.Time) {
	o := g.outputs[s]
	for {
		before := o.Logged + position(g.w.Held(s))
		_, data := o.at(before)
		data = data[:max(0, min(len(data), int(end-before)))]
		if len(data) == 0 {
			return
		}
		after := before + position(len(data))
		g.noted(o, after, at, func() error { return g.w.Write(s, data) })
		o.Logged = after - position(g.w.Held(s))
		g.written(o)
	}
}

// flush writes lines that have not ended.
func (g *logger) flush() {
	for s, o := range g.outputs {
		stream := logs.Stream(s)
		if g.w.Held(stream) == 0 {
			continue
		}
		end := o.Logged + position(g.w.Held(stream))
		g.noted(o, end, time.Now(), func() error { return g.w.FlushStream(stream) })
		o.Logged = end
		g.written(o)
		o.free()
	}
}

// noted notes where the log ends, and writes.
func (g *logger) noted(o *output, end position, at time.Time, write func() error) {
	o.Inode, o.Length = g.w.Position()
	o.Writing, o.Stamp, g.stamp = end, at.UnixNano(), at
	err := o.header.write(o.file)
	if err == nil {
		err = write()
	}
	if err != nil && !g.failed {
		g.warn(err.Error()) // the container goes on
	}
	g.failed = err != nil
}

// written notes that it is there.
func (g *logger) written(o *output) {
	o.Inode = 0
	if err := o.header.write(o.file); err != nil {
		g.warn(err.Error())
	}
}

// idle tells whether the log has all.
func (g *logger) idle() bool {
	for s, o := range g.outputs {
		if o.Logged != o.size || g.w.Held(logs.Stream(s)) > 0 {
			return false
		}
	}
	return g.pending == nil && !g.failed
}

// close writes all that is left.
func (g *logger) close() {
	g.pending.Stop()
	g.flush()
	if err := g.w.Close(); err != nil {
		g.warn(err.Error())
	}
}
