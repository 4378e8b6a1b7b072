package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/app/envelope"
)

// bookkeepingTimeout bounds each visit of the stack to the consumer's database: counting a failure, giving up.
const bookkeepingTimeout = 5 * time.Second

// Config says how a service's consumers work. What is zero has the default named beside it.
type Config struct {
	Service  string                          // "order"; labels metrics and logs
	Failures Failures                        // may be nil where every consumer is NeverPoison
	Requeued envelope.RequeueKey             // what the event service signs with; needed by consumers of requeue.*
	Probe    func(ctx context.Context) error // nil error: the service's database is there; ends a pause

	Attempts       int             // quick ones in a delivery; 3
	AttemptTimeout time.Duration   // of each; 10 s
	QuickBackoff   time.Duration   // before the second attempt, doubled before each further one, half of it drawn; 100 ms
	Late           []time.Duration // after how long a failed delivery comes back; 5 s, 30 s, 2 min; when they are used up it is given up

	GateWait      time.Duration // how long a message waits for the end of a pause before it is put back; 10 s
	HandlingLimit time.Duration // how long the broker lets a delivery go on; 60 s
	GapTimeout    time.Duration // of the inbox; 10 min
	CloseTimeout  time.Duration // for what runs when the ctx of Run ends; 5 s

	Types   []string              // the event types that metrics name; none. All others are "other".
	Logger  *slog.Logger          // none
	Metrics prometheus.Registerer // none
	Now     func() time.Time      // time.Now
	Jitter  func() float64        // draws from [0, 1); always 0.5
}

func (c Config) withDefaults() Config {
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 10*time.Second)
	c.QuickBackoff = cmp.Or(c.QuickBackoff, 100*time.Millisecond)
	if c.Late == nil {
		c.Late = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}
	}
	c.GateWait = cmp.Or(c.GateWait, 10*time.Second)
	c.HandlingLimit = cmp.Or(c.HandlingLimit, time.Minute)
	c.GapTimeout = cmp.Or(c.GapTimeout, 10*time.Minute)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0.5 }
	}
	return c
}

// validate reports everything that is wrong with c at once.
func (c Config) validate() error {
	var errs []error
	if c.Service == "" {
		errs = append(errs, errors.New("the router's service has no name"))
	}
	if c.Probe == nil {
		errs = append(errs, errors.New("the router has no probe: a pause would never end"))
	}
	if c.Attempts < 1 || c.AttemptTimeout < 0 || c.QuickBackoff < 0 || c.GateWait < 0 {
		errs = append(errs, errors.New("the router's attempts and times must be positive"))
	}
	for _, d := range c.Late {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("a late retry after %s is none", d))
		}
	}
	if b := c.deliveryBudget(); b >= c.HandlingLimit {
		errs = append(errs, fmt.Errorf(
			"%d attempts of %s, their backoff, a pause of %s and the bookkeeping may take %s, but a delivery may last less than %s",
			c.Attempts, c.AttemptTimeout, c.GateWait, b, c.HandlingLimit))
	}
	if s := c.schedule(); s >= c.GapTimeout {
		errs = append(errs, fmt.Errorf(
			"the retry schedule may take %s, but successors of the event wait for less than %s", s, c.GapTimeout))
	}
	return errors.Join(errs...)
}

// deliveryBudget is the longest that one delivery may take.
func (c Config) deliveryBudget() time.Duration {
	sum := c.GateWait + 2*bookkeepingTimeout + time.Duration(c.Attempts)*c.AttemptTimeout
	for n := 1; n < c.Attempts; n++ {
		sum += c.QuickBackoff << (n - 1)
	}
	return sum
}

// schedule is the longest that may pass from the first attempt until the event is given up, unless the consumer is paused.
func (c Config) schedule() time.Duration {
	sum := time.Duration(len(c.Late)+1) * (c.deliveryBudget() - c.GateWait)
	for _, d := range c.Late {
		sum += d
	}
	return sum
}
