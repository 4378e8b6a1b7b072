// Package logbuffer provides a writer that never blocks, so that a reader of the log that is slow or gone delays nobody who logs.
package logbuffer

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultSize holds some 15,000 lines of requests.
	DefaultSize = 4 << 20
	// pieceSize is PIPE_BUF of Linux: a pipe takes a write of up to that many bytes as a whole, so lines of several processes stay whole.
	pieceSize = 4096
)

// Config says how much a Writer buffers and how it reports dropped lines.
type Config struct {
	// Size is how many bytes are buffered; 0: DefaultSize. What does not fit is dropped.
	Size int
	// Notice returns the line that takes the place of dropped ones; nil: nothing does.
	Notice func(lines uint64) []byte
}

// Writer passes on what is written to it, in order and without blocking: one goroutine writes to the underlying writer. Each Write is one
// or more whole lines, and is held or dropped as a whole. Once the buffer was full, lines are dropped until half of it is free, so that the
// log has one gap and not many; a notice stands in its place. A Writer is safe for concurrent use.
type Writer struct {
	out  io.Writer
	cfg  Config
	lost atomic.Uint64 // lines, since the start

	mu       sync.Mutex
	changed  sync.Cond // there is something to write, or nothing will come any more
	queue    []byte
	writing  int    // bytes that were taken from the queue and are not written yet
	full     bool   // lines are dropped until half of the buffer is free
	gap      uint64 // lines that were dropped and no notice tells of
	closed   bool
	finished chan struct{} // closed when the goroutine has ended
}

// New returns a Writer before out and starts its goroutine, which Close ends.
func New(out io.Writer, cfg Config) *Writer {
	if cfg.Size == 0 {
		cfg.Size = DefaultSize
	}
	w := &Writer{out: out, cfg: cfg, finished: make(chan struct{})}
	w.changed.L = &w.mu
	go w.run()
	return w
}

// Write buffers p until the underlying writer takes it, or drops it if there is no room. It never blocks and never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := len(w.queue) + w.writing
	w.full = w.full || held > 0 && held+len(p) > w.cfg.Size
	if w.closed || w.full || len(p) > w.cfg.Size {
		w.drop(p)
		return len(p), nil
	}
	w.queue = append(w.queue, p...)
	w.changed.Signal()
	return len(p), nil
}

// drop counts the lines of p as lost. The caller holds mu.
func (w *Writer) drop(p []byte) {
	lines := uint64(max(1, bytes.Count(p, []byte{'\n'})))
	w.lost.Add(lines)
	w.gap += lines
}

// Lost returns how many lines were dropped since the start.
func (w *Writer) Lost() uint64 { return w.lost.Load() }

// Close waits until everything held is written, but no longer than limit, and reports whether it was. What is written to w afterwards is
// dropped. Where the underlying writer blocks, the goroutine stays until that ends.
func (w *Writer) Close(limit time.Duration) bool {
	w.mu.Lock()
	w.closed = true
	w.changed.Signal()
	w.mu.Unlock()
	select {
	case <-w.finished:
		return true
	case <-time.After(limit):
		return false
	}
}

func (w *Writer) run() {
	defer close(w.finished)
	var spare []byte
	for {
		batch, ok := w.take(spare)
		if !ok {
			return
		}
		for rest := batch; len(rest) > 0; {
			piece := nextPiece(rest)
			_, err := w.out.Write(piece)
			w.wrote(piece, err)
			rest = rest[len(piece):]
		}
		if spare = batch[:0]; cap(spare) > w.cfg.Size/4 { // what a slow reader made large is given back
			spare = nil
		}
	}
}

// take waits for something to write and returns it, leaving spare as the queue; false where nothing will come any more.
func (w *Writer) take(spare []byte) (batch []byte, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 {
		if w.closed {
			return nil, false
		}
		w.changed.Wait()
	}
	batch, w.queue = w.queue, spare
	w.writing = len(batch)
	return batch, true
}

// wrote accounts for a piece that was passed on, or that failed: a pipe without a reader, a file system without room. The notice of a gap
// follows once lines get through again.
func (w *Writer) wrote(piece []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing -= len(piece)
	if len(w.queue)+w.writing <= w.cfg.Size/2 {
		w.full = false
	}
	switch {
	case err != nil:
		w.drop(piece)
	case w.gap > 0 && !w.full:
		if w.cfg.Notice != nil {
			w.queue = append(w.queue, w.cfg.Notice(w.gap)...)
		}
		w.gap = 0
	}
}

// nextPiece returns the whole lines at the beginning of b that fit into one piece; the first line in any case.
func nextPiece(b []byte) []byte {
	if len(b) <= pieceSize {
		return b
	}
	if end := bytes.LastIndexByte(b[:pieceSize], '\n'); end >= 0 {
		return b[:end+1]
	}
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		return b[:end+1]
	}
	return b
}
