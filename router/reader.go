package router

import (
	"context"
	"log/slog"
)

// page is the answer to one read of the outbox.
type page struct {
	after int64
	rows  []Pending
	more  bool // there may be rows behind them
	err   error
}

// reader reads pages of the outbox beside the publishing.
type reader struct {
	relay    *Relay
	requests chan int64 // the row after which the page begins
	pages    chan *page
	log      *slog.Logger
	limit    int // rows in the next page
	failing  bool
}

func newReader(r *Relay) *reader {
	return &reader{relay: r, requests: make(chan int64, 1), pages: make(chan *page, 1), log: r.log, limit: r.cfg.Page}
}

// start works until ctx ends; then the channel that it gives is closed.
func (d *reader) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case after := <-d.requests:
				d.pages <- d.read(ctx, after)
			}
		}
	}()
	return done
}

func (d *reader) read(ctx context.Context, after int64) *page {
	ctx, cancel := context.WithTimeout(ctx, d.relay.cfg.LeaseTTL)
	defer cancel()
	p := &page{after: after}
	p.rows, p.err = d.relay.cfg.Outbox.Pending(ctx, after, d.limit)
	cut := sizeOf(p.rows) >= PageBytes
	p.more = cut || len(p.rows) == d.limit
	switch {
	case cut: // what is asked for and not taken is read all the same
		d.limit = len(p.rows)
	case p.more:
		d.limit = min(2*d.limit, d.relay.cfg.Page)
	}
	return p
}

func sizeOf(rows []Pending) (n int) {
	for _, p := range rows {
		n += len(p.Payload) + len(p.Encoded)
	}
	return n
}

// failed and worked write one line when reading begins to fail and one when it works again.
func (d *reader) failed(err error) {
	if !d.failing {
		d.log.Warn("relay cannot read the outbox", "error", err)
	}
	d.failing = true
}

func (d *reader) worked() {
	if d.failing {
		d.log.Info("relay reads the outbox again")
	}
	d.failing = false
}
