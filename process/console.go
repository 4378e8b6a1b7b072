package process

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/adapters/logbuffer"
	"github.com/millrace/millrace/config"
)

// flushTimeout bounds how long the end of the process waits for a slow reader of its output.
const flushTimeout = 750 * time.Millisecond

// Console holds the outputs of a process: the log on standard error, and text for people on standard output. Writing to them never blocks:
// what a file, pipe or terminal does not take is buffered, and dropped once the buffer is full.
type Console struct {
	Log       *slog.Logger
	Out, Errs io.Writer
	buffers   []*logbuffer.Writer
}

// NewConsole returns a console on the process's outputs.
func NewConsole(cfg config.Config, stdout, stderr io.Writer) *Console {
	c := &Console{}
	c.Out, c.Errs = c.buffered(cfg, stdout), c.buffered(cfg, stderr)
	c.Log = newLogger(cfg, c.Errs)
	if c.Errs != stderr {
		log.SetOutput(visible{c.Errs}) //nolint:forbidigo // what libraries log may not block either
	}
	return c
}

// buffered returns w, behind a buffer where writing to it can block.
func (c *Console) buffered(cfg config.Config, w io.Writer) io.Writer {
	if _, ok := w.(*os.File); !ok {
		return w
	}
	b := logbuffer.New(w, logbuffer.Config{Notice: func(lines uint64) []byte { return droppedNotice(cfg, lines) }})
	c.buffers = append(c.buffers, b)
	return b
}

// droppedNotice returns the log line that takes the place of dropped lines.
func droppedNotice(cfg config.Config, lines uint64) []byte {
	var line bytes.Buffer
	newLogger(cfg, &line).Error("log lines were dropped because nobody read them", "lines", lines)
	return line.Bytes()
}

// dropped returns the metric that counts dropped lines.
func (c *Console) dropped() prometheus.Collector {
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

// Close writes what is buffered, within flushTimeout.
func (c *Console) Close() {
	deadline := time.Now().Add(flushTimeout)
	for _, b := range c.buffers {
		b.Close(time.Until(deadline))
	}
}
