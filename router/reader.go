package router

import (
	"context"
	"log/slog"
)

// page is the answer to one read of the outbox.
type page struct {
	after int64
	rows  []Pending
	err   error
}

// reader reads pages of the outbox beside the publishing.
type reader struct {
	relay    *Relay
	requests chan int64 // the row after which the page begins
	pages    chan *page
	log      *slog.Logger
	failing  bool
}

func newReader(r *Relay) *reader {
	return &reader{relay: r, requests: make(chan int64, 1), pages: make(chan *page, 1), log: r.log}
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
	rows, err := d.relay.cfg.Outbox.Pending(ctx, after, d.relay.cfg.Page)
	return &page{after: after, rows: rows, err: err}
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
