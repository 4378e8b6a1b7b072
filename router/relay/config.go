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

	LeaseTTL time.Duration // 4 s; a take-over takes at most this and Contend
	Margin   time.Duration // how much earlier the holder lets go of the lease; a quarter of LeaseTTL
	Renew    time.Duration // a quarter of LeaseTTL
	Contend  time.Duration // between attempts to get the lease; an eighth of LeaseTTL

	Poll   time.Duration // reads the outbox without being woken, for what other processes wrote; 250 ms
	Gather time.Duration // the least time between the beginnings of two passes over the outbox; 3 ms
	Settle time.Duration // how long stopping waits for outcomes, and then for marks; 2 s

	Window int           // rows without an acknowledgement; 2048
	Page   int           // rows in a read; 500
	Marks  int           // rows in a mark; 500
	Linger time.Duration // how long a mark waits for company; 25 ms

	Keep      time.Duration // acknowledged rows; 1 h
	PurgeStep int           // rows deleted at a time; 500
	Survey    time.Duration // between two counts of the backlog, two purges, and two looks at what the broker must hold; 5 s

	Logger  *slog.Logger          // none
	Metrics prometheus.Registerer // none
	Now     func() time.Time      // with a monotonic clock; time.Now
}

func (c Config) withDefaults() Config {
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 4*time.Second)
	c.Margin = cmp.Or(c.Margin, c.LeaseTTL/4)
	c.Renew = cmp.Or(c.Renew, c.LeaseTTL/4)
	c.Contend = cmp.Or(c.Contend, c.LeaseTTL/8)
	c.Poll = cmp.Or(c.Poll, 250*time.Millisecond)
	c.Gather = cmp.Or(c.Gather, 3*time.Millisecond)
	c.Settle = cmp.Or(c.Settle, 2*time.Second)
	c.Window = cmp.Or(c.Window, 2048)
	c.Page = cmp.Or(c.Page, 500)
	c.Marks = cmp.Or(c.Marks, 500)
	c.Linger = cmp.Or(c.Linger, 25*time.Millisecond)
	c.Keep = cmp.Or(c.Keep, time.Hour)
	c.PurgeStep = cmp.Or(c.PurgeStep, 500)
	c.Survey = cmp.Or(c.Survey, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
