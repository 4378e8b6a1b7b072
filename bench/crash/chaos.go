package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// blow is one thing that chaos does to a process.
type blow struct {
	pause  bool // SIGSTOP instead of SIGKILL
	target *cluster.Process
	label  string        // what it is counted under
	hold   time.Duration // until it is started again, or goes on
}

// lease is the relay's: a pause that lasts longer wakes up in a world where another process has taken over.
const lease = 4 * time.Second

// chaos kills and pauses.
type chaos struct {
	system *system
	random *rand.Rand
	tally  *tally

	mu      sync.Mutex
	busy    map[*cluster.Process]bool
	failed  []error
	pending sync.WaitGroup
}

func newChaos(c *system, random *rand.Rand, t *tally) *chaos {
	return &chaos{system: c, random: random, tally: t, busy: map[*cluster.Process]bool{}}
}

// run deals its blows for d: each kind once, in an order drawn, then the services' again and again. It returns when all is running
// once more.
func (c *chaos) run(ctx context.Context, d time.Duration, long *blow) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if long != nil {
		c.deal(ctx, *long)
	}
	deck := c.deck(true)
	gap := d / time.Duration(len(deck)+3)
	for cluster.Sleep(ctx, gap/2+time.Duration(c.random.Int64N(int64(gap)))) {
		if len(deck) == 0 {
			deck = c.deck(false)
		}
		c.deal(ctx, deck[0])
		deck = deck[1:]
	}
	c.pending.Wait()
	return errors.Join(c.failed...)
}

// deck is one of each kind of blow, shuffled: on the services, and on what stands below them if asked.
func (c *chaos) deck(below bool) []blow {
	var deck []blow
	if c.system.mariadb == nil {
		whole := c.system.replicas[0].Process
		deck = []blow{
			{target: whole, label: "process", hold: c.between(100, 1000)},
			{target: whole, label: "process", hold: c.between(100, 1000)},
			{target: whole, label: "process", hold: c.between(100, 1000)},
			{pause: true, target: whole, label: "process", hold: c.between(500, 3000)},
		}
	} else {
		for _, service := range cluster.Services {
			replicas := c.system.of(service)
			deck = append(deck,
				blow{target: replicas[c.random.IntN(2)].Process, label: service, hold: c.between(100, 3000)},
				blow{pause: true, target: replicas[c.random.IntN(2)].Process, label: service, hold: lease + c.between(500, 3000)})
		}
	}
	if c.system.mariadb != nil && below {
		deck = append(deck,
			blow{target: c.system.nats.Process, label: "nats-server", hold: c.between(100, 2000)},
			blow{target: c.system.mariadb.Process, label: "mariadbd", hold: c.between(100, 1500)},
			blow{pause: true, target: c.system.nats.Process, label: "nats-server", hold: c.between(500, 6000)},
			blow{pause: true, target: c.system.mariadb.Process, label: "mariadbd", hold: c.between(500, 6000)})
	}
	c.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

func (c *chaos) between(low, high int64) time.Duration {
	return time.Duration(low+c.random.Int64N(high-low)) * time.Millisecond
}

// deal strikes a target that is not down already and sees to it that it comes back.
func (c *chaos) deal(ctx context.Context, b blow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[b.target] {
		return
	}
	c.busy[b.target] = true
	c.pending.Go(func() {
		// Not cancelled with the round: one that is cut short still brings everything back.
		err := c.strike(context.WithoutCancel(ctx), b)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy[b.target] = false
		if err != nil {
			c.failed = append(c.failed, fmt.Errorf("%s: %w", b.label, err))
		}
	})
}

// strike takes the target down, and up again after the hold.
func (c *chaos) strike(ctx context.Context, b blow) error {
	down, up := b.target.Kill, b.target.Start
	if b.pause {
		down, up = b.target.Pause, b.target.Resume
	}
	if err := down(); err != nil {
		return err
	}
	c.tally.struck(b)
	cluster.Sleep(ctx, b.hold)
	return up()
}
