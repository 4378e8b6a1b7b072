package relay

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config configures a Relay. Service, Outbox, Broker and Holder are required. A zero field has the default that its comment names.
type Config struct {
	Service string
	Outbox  Outbox
	Broker  Broker
	Holder  string // names this process among its replicas, and never a second one

	LeaseTTL        time.Duration // 4 s; a take-over takes at most this and AcquireInterval
	Margin          time.Duration // how much earlier the holder lets go of the lease; a quarter of LeaseTTL
	RenewInterval   time.Duration // a quarter of LeaseTTL
	AcquireInterval time.Duration // between attempts to get the lease; an eighth of LeaseTTL

	PollInterval    time.Duration // reads the outbox without being woken, for what other processes wrote; 250 ms
	MinScanInterval time.Duration // the least time between the starts of two scans of the outbox; 3 ms
	DrainTimeout    time.Duration // for outcomes when stopping, and again for storing acknowledgements; 2 s

	MaxInFlight int           // rows without an acknowledgement; 2048
	PageSize    int           // rows per read; 500
	AckBatch    int           // acknowledgements stored at once; 500
	AckDelay    time.Duration // how long an acknowledgement waits for others to be stored with it; 25 ms

	Retention           time.Duration // acknowledged rows; 1 h
	PurgeBatch          int           // rows deleted at a time; 500
	MaintenanceInterval time.Duration // between two counts of the backlog, two purges, and two looks at what the broker must hold; 5 s

	Logger  *slog.Logger          // discards
	Metrics prometheus.Registerer // metrics are not registered
	Now     func() time.Time      // with a monotonic clock; time.Now
}

func (c Config) withDefaults() Config {
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 4*time.Second)
	c.Margin = cmp.Or(c.Margin, c.LeaseTTL/4)
	c.RenewInterval = cmp.Or(c.RenewInterval, c.LeaseTTL/4)
	c.AcquireInterval = cmp.Or(c.AcquireInterval, c.LeaseTTL/8)
	c.PollInterval = cmp.Or(c.PollInterval, 250*time.Millisecond)
	c.MinScanInterval = cmp.Or(c.MinScanInterval, 3*time.Millisecond)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 2*time.Second)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 2048)
	c.PageSize = cmp.Or(c.PageSize, 500)
	c.AckBatch = cmp.Or(c.AckBatch, 500)
	c.AckDelay = cmp.Or(c.AckDelay, 25*time.Millisecond)
	c.Retention = cmp.Or(c.Retention, time.Hour)
	c.PurgeBatch = cmp.Or(c.PurgeBatch, 500)
	c.MaintenanceInterval = cmp.Or(c.MaintenanceInterval, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// validate returns all errors of c, joined.
func (c Config) validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"Service": c.Service == "", "Holder": c.Holder == "", "Outbox": c.Outbox == nil, "Broker": c.Broker == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("relay: Config.%s is missing", name))
		}
	}
	if c.Margin+c.RenewInterval >= c.LeaseTTL {
		errs = append(errs, errors.New("relay: Config.Margin and RenewInterval must be below LeaseTTL, or the lease ends before it is renewed"))
	}
	return errors.Join(errs...)
}
