package logs

import (
	"bytes"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// maxLine is how many bytes of a line one record holds, the same as Docker's.
const maxLine = 16 << 10

// sink is where records go: a file or the journal. What it was given is there
// after flush; what an error concerns is lost.
type sink interface {
	record(stamp []byte, s Stream, line []byte, whole bool) error
	flush() error
	reopen() error
	close() error
	position() (inode uint64, size int64)
}

// Writer keeps the output of one container. It is for one goroutine, and
// allocates nothing for a line.
type Writer struct {
	// Clock is what time it is, nil for the system's.
	Clock func() time.Time

	out   sink // nil: nothing is kept
	held  [2][]byte
	stamp [len(time.RFC3339Nano)]byte
	time  []byte // in stamp
	err   error  // the first of the call that is going on
}

// Write takes what the container wrote to a stream, as much as was read at
// once. All lines that end in it are with the kernel when it returns, with one
// time for all; a line that does not end yet is held.
//
// An error says that some lines were lost, to a full disk for example. The
// Writer stays usable, and the container's output should still be read: a
// container that nobody reads from stands still.
func (w *Writer) Write(s Stream, p []byte) error {
	if w.out == nil || len(p) == 0 {
		return nil
	}
	w.begin()
	for len(p) > 0 {
		p = w.take(s, p)
	}
	return w.end()
}

// Pending says whether a line is held that has not ended.
func (w *Writer) Pending() bool { return len(w.held[Stdout])+len(w.held[Stderr]) > 0 }

// Held is how many bytes of a line that has not ended are held of a stream.
func (w *Writer) Held(s Stream) int { return len(w.held[s]) }

// Position is where the log ends: its file, and how long that is. All that a call
// of Write or FlushStream wrote can be taken back by [Cut] with what Position was
// before, and written again. It is 0, 0 for a log that is no file.
func (w *Writer) Position() (inode uint64, size int64) {
	if w.out == nil {
		return 0, 0
	}
	return w.out.position()
}

// Flush writes the lines that are held, such as a prompt: the rest of such a
// line becomes a record of its own. It is for the end of the output, and for a
// while in which nothing came.
func (w *Writer) Flush() error {
	if !w.Pending() {
		return nil
	}
	w.begin()
	for s := range w.held {
		w.release(Stream(s))
	}
	return w.end()
}

// FlushStream is Flush of one stream.
func (w *Writer) FlushStream(s Stream) error {
	if w.Held(s) == 0 {
		return nil
	}
	w.begin()
	w.release(s)
	return w.end()
}

// release emits the line that is held.
func (w *Writer) release(s Stream) {
	if held := w.held[s]; len(held) > 0 {
		w.emit(s, held, false)
		w.held[s] = held[:0]
	}
}

// Reopen opens the file by its name again, after somebody renamed it to rotate
// it, as the kubelet does.
func (w *Writer) Reopen() error {
	if w.out == nil {
		return nil
	}
	return w.out.reopen()
}

// Close flushes and closes. The Writer is of no use any more.
func (w *Writer) Close() error {
	if w.out == nil {
		return nil
	}
	return errors.Join(w.Flush(), w.out.close())
}

// Stream is one stream as an io.Writer.
func (w *Writer) Stream(s Stream) io.Writer { return streamWriter{w, s} }

type streamWriter struct {
	w *Writer
	s Stream
}

func (sw streamWriter) Write(p []byte) (int, error) { return len(p), sw.w.Write(sw.s, p) }

func (w *Writer) begin() {
	now := time.Now
	if w.Clock != nil {
		now = w.Clock
	}
	w.time = now().UTC().AppendFormat(w.stamp[:0], time.RFC3339Nano)
	w.err = nil
}

func (w *Writer) end() error {
	if err := w.out.flush(); w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *Writer) emit(s Stream, line []byte, whole bool) {
	if err := w.out.record(w.time, s, line, whole); w.err == nil {
		w.err = err
	}
}

// take makes a record of the beginning of p, or holds it, and returns the rest.
func (w *Writer) take(s Stream, p []byte) (rest []byte) {
	held := w.held[s]
	room := min(len(p), maxLine-len(held))
	if i := bytes.IndexByte(p[:room], '\n'); i >= 0 {
		line := p[:i]
		if len(held) > 0 {
			line = append(held, line...)
			w.held[s] = line[:0]
		}
		w.emit(s, line, true)
		return p[i+1:]
	}
	held = append(held, p[:room]...)
	if len(held) == maxLine {
		whole := wholeRunes(held)
		w.emit(s, held[:whole], false)
		held = held[:copy(held, held[whole:])]
	}
	w.held[s] = held
	return p[room:]
}

// wholeRunes is the length of text without a character that is cut in two.
func wholeRunes(text []byte) int {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(text[i]) {
			if utf8.FullRune(text[i:]) {
				return len(text)
			}
			return i
		}
	}
	return len(text)
}
