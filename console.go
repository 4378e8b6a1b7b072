package main

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/adapters/logbuffer"
)

// flushAtMost bounds how long the end of the process waits for a reader of its output that is slow.
const flushAtMost = 750 * time.Millisecond

// console is where a process speaks: the log, on standard error, and what people read, on standard output. Nobody has to read either of
// them: what a file, pipe or terminal does not take is held, and dropped where that becomes too much.
type console struct {
	log       *slog.Logger
	out, errs io.Writer
	buffers   []*logbuffer.Writer
}

func newConsole(cfg config, stdout, stderr io.Writer) *console {
	c := &console{}
	c.out, c.errs = c.buffered(cfg, stdout), c.buffered(cfg, stderr)
	c.log = newLogger(cfg, c.errs)
	if c.errs != stderr {
		log.SetOutput(c.errs) //nolint:forbidigo // what libraries say on their own may not block either
	}
	return c
}

// buffered returns w, behind a buffer where writing to it can block.
func (c *console) buffered(cfg config, w io.Writer) io.Writer {
	if _, ok := w.(*os.File); !ok {
		return w
	}
	b := logbuffer.New(w, logbuffer.Config{Notice: func(lines uint64) []byte { return droppedNotice(cfg, lines) }})
	c.buffers = append(c.buffers, b)
	return b
}

// droppedNotice is the line of the log that stands where lines were dropped.
func droppedNotice(cfg config, lines uint64) []byte {
	var line bytes.Buffer
	newLogger(cfg, &line).Error("log lines were dropped because nobody read them", "lines", lines)
	return line.Bytes()
}

// dropped counts the lines that nobody will read.
func (c *console) dropped() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "millrace_log_lines_dropped_total",
		Help: "Lines of the log and of standard output that were dropped because nobody read them, or because they could not be written.",
	}, func() (lines float64) {
		for _, b := range c.buffers {
			lines += float64(b.Lost())
		}
		return lines
	})
}

// close writes what is held, for as long as that may take.
func (c *console) close() {
	deadline := time.Now().Add(flushAtMost)
	for _, b := range c.buffers {
		b.Close(time.Until(deadline))
	}
}

// newLogger writes to w as configured.
func newLogger(cfg config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
