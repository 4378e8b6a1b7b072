package relay

import (
	"context"
	"log/slog"

	"github.com/millrace/millrace/app/outbox"
)

// pageRequest asks for the rows of some streams behind the row after.
type pageRequest struct {
	streams []string
	after   int64
}

// page is the answer to one read of the outbox.
type page struct {
	after int64
	rows  []outbox.Pending
	more  bool // there may be rows behind them
	err   error
}

// pageReader reads pages of the outbox beside the publishing.
type pageReader struct {
	relay    *Relay
	requests chan pageRequest
	pages    chan *page
	log      *slog.Logger
	limit    int // rows in the next page
	failing  bool
}

func newPageReader(r *Relay) *pageReader {
	return &pageReader{relay: r, requests: make(chan pageRequest, 1), pages: make(chan *page, 1), log: r.log, limit: r.cfg.PageSize}
}

// start works until ctx ends; then the channel that it gives is closed.
func (d *pageReader) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case wanted := <-d.requests:
				d.pages <- d.read(ctx, wanted)
			}
		}
	}()
	return done
}

func (d *pageReader) read(ctx context.Context, wanted pageRequest) *page {
	limited, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p := &page{after: wanted.after}
	p.rows, p.more, p.err = d.relay.cfg.Outbox.Pending(limited, wanted.streams, wanted.after, d.limit)
	switch {
	case p.more && sizeOf(p.rows) >= outbox.PageBytes: // what is asked for and not taken is read all the same
		d.limit = max(min(d.limit, len(p.rows)), 1)
	case p.more:
		d.limit = min(2*d.limit, d.relay.cfg.PageSize)
	}
	if ctx.Err() == nil {
		d.relay.setDatabaseError(reading, p.err)
	}
	return p
}

func sizeOf(rows []outbox.Pending) (n int) {
	for _, p := range rows {
		n += len(p.Payload) + len(p.Encoded)
	}
	return n
}

// failed and worked write one line when reading begins to fail and one when it works again.
func (d *pageReader) failed(err error) {
	if !d.failing {
		d.log.Warn("relay cannot read the outbox", "error", err)
	}
	d.failing = true
}

func (d *pageReader) recovered() {
	if d.failing {
		d.log.Info("relay reads the outbox again")
	}
	d.failing = false
}
