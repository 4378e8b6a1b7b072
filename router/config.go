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

// bookkeepingTimeout limits each access to the consumer's database: counting a failure, giving up.
const bookkeepingTimeout = 5 * time.Second

// Config configures the consumers of a service. Only Service and Probe are required. A zero field has the default that its comment names;
// a nil Failures or a zero Requeued restricts which consumers AddConsumer accepts.
type Config struct {
	Service  string                          // "order"; labels metrics and logs
	Failures Failures                        // nil: only NeverPoison consumers can be added
	Requeued envelope.RequeueKey             // verifies requeued messages; zero: no consumer of requeue.* can be added
	Probe    func(ctx context.Context) error // returns nil when the service's database is available, which ends a pause

	Attempts       int             // per delivery; 3
	AttemptTimeout time.Duration   // of each; 10 s
	QuickBackoff   time.Duration   // before the second attempt, doubled before each further one, half of it jitter; 100 ms
	LateRetries    []time.Duration // delays before a failed delivery is redelivered, then it is given up; 5 s, 30 s, 2 min

	PauseWait     time.Duration // how long a message waits for the end of a pause before it is nacked; 10 s
	HandlingLimit time.Duration // how long a subscriber keeps a delivery alive; 60 s
	GapTimeout    time.Duration // how long the inbox waits for a missing predecessor; 10 min
	CloseTimeout  time.Duration // for running handlers when the ctx of Run ends; 5 s

	Types   []string              // event types that are metric labels; every other type is "other"; none
	Logger  *slog.Logger          // discards
	Metrics prometheus.Registerer // metrics are not registered
	Now     func() time.Time      // time.Now
	Jitter  func() float64        // returns a random number in [0, 1); always 0.5
}

func (c Config) withDefaults() Config {
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 10*time.Second)
	c.QuickBackoff = cmp.Or(c.QuickBackoff, 100*time.Millisecond)
	if c.LateRetries == nil {
		c.LateRetries = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}
	}
	c.PauseWait = cmp.Or(c.PauseWait, 10*time.Second)
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

// validate returns all errors of c, joined.
func (c Config) validate() error {
	var errs []error
	if c.Service == "" {
		errs = append(errs, errors.New("router: Config.Service is empty"))
	}
	if c.Probe == nil {
		errs = append(errs, errors.New("router: Config.Probe is nil: a pause would never end"))
	}
	if c.Attempts < 1 || c.AttemptTimeout < 0 || c.QuickBackoff < 0 || c.PauseWait < 0 {
		errs = append(errs, errors.New("router: Config.Attempts, AttemptTimeout, QuickBackoff and PauseWait must be positive"))
	}
	for _, d := range c.LateRetries {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("router: Config.LateRetries has %s; each must be positive", d))
		}
	}
	if b := c.deliveryBudget(); b >= c.HandlingLimit {
		errs = append(errs, fmt.Errorf(
			"router: %d attempts of %s with backoff, a pause of %s and the bookkeeping may take %s, which is not below Config.HandlingLimit, %s",
			c.Attempts, c.AttemptTimeout, c.PauseWait, b, c.HandlingLimit))
	}
	if s := c.schedule(); s >= c.GapTimeout {
		errs = append(errs, fmt.Errorf(
			"router: the retry schedule may take %s, which is not below Config.GapTimeout, %s", s, c.GapTimeout))
	}
	return errors.Join(errs...)
}

// deliveryBudget returns the longest time that one delivery may take.
func (c Config) deliveryBudget() time.Duration {
	sum := c.PauseWait + 2*bookkeepingTimeout + time.Duration(c.Attempts)*c.AttemptTimeout
	for n := 1; n < c.Attempts; n++ {
		sum += c.QuickBackoff << (n - 1)
	}
	return sum
}

// schedule returns the longest time from the first attempt until the event is given up, pauses excluded.
func (c Config) schedule() time.Duration {
	sum := time.Duration(len(c.LateRetries)+1) * (c.deliveryBudget() - c.PauseWait)
	for _, d := range c.LateRetries {
		sum += d
	}
	return sum
}
