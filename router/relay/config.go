package relay

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says whose outbox a relay empties. What is zero has the default named beside it.
type Config struct {
	Service string
	Outbox  Outbox
	Broker  Broker
	Holder  string // names this process among its replicas, and never a second one

	LeaseTTL        time.Duration // 4 s; a take-over takes at most this and Contend
	Margin          time.Duration // how much earlier the holder lets go of the lease; a quarter of LeaseTTL
	RenewInterval   time.Duration // a quarter of LeaseTTL
	AcquireInterval time.Duration // between attempts to get the lease; an eighth of LeaseTTL

	PollInterval    time.Duration // reads the outbox without being woken, for what other processes wrote; 250 ms
	MinScanInterval time.Duration // the least time between the beginnings of two passes over the outbox; 3 ms
	DrainTimeout    time.Duration // how long stopping waits for outcomes, and then for marks; 2 s

	MaxInFlight int           // rows without an acknowledgement; 2048
	PageSize    int           // rows in a read; 500
	AckBatch    int           // rows in a mark; 500
	AckDelay    time.Duration // how long a mark waits for company; 25 ms

	Retention           time.Duration // acknowledged rows; 1 h
	PurgeBatch          int           // rows deleted at a time; 500
	MaintenanceInterval time.Duration // between two counts of the backlog, two purges, and two looks at what the broker must hold; 5 s

	Logger  *slog.Logger          // none
	Metrics prometheus.Registerer // none
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
