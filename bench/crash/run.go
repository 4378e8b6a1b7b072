package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

// trial is one run of this program.
type trial struct {
	options options
	system  *system
	stores  *stores
	js      jetstream.JetStream
	client  *client
	ledger  *ledger
	tally   *tally
	tape    *tape
	ackWait time.Duration
}

// run makes the system, breaks it for some rounds and reports. green is false where anything was found.
func run(ctx context.Context, o options) (green bool, err error) {
	if err := os.RemoveAll(o.dir); err != nil {
		return false, err
	}
	fmt.Printf("seed %d, %d rounds of %s, %s\n", o.seed, o.rounds, o.duration, o.dir)
	c, err := newSystem(ctx, o)
	if err != nil {
		return false, err
	}
	t := &trial{options: o, system: c, client: newClient(), ledger: newLedger(), tally: newTally(), tape: &tape{}}
	found, rounds, err := t.rounds(ctx)
	// Everything is stopped in any case; that a service drains and exits with 0 is one more thing to check.
	if stopped := c.stop(); stopped != nil {
		found.addOther("at the end: %v", stopped)
	}
	for _, end := range c.ends() {
		found.addOther("%s", end)
	}
	found.print()
	t.report(rounds, found)
	green = err == nil && found.green() && rounds == o.rounds
	if green && !o.keep {
		return true, os.RemoveAll(o.dir)
	}
	fmt.Printf("data and logs are kept in %s\n", o.dir)
	return green, err
}

// rounds runs one after the other and ends with the first that found something.
func (t *trial) rounds(ctx context.Context) (findings, int, error) {
	if err := t.system.start(ctx); err != nil {
		return findings{}, 0, err
	}
	var err error
	if t.stores, err = openStores(t.system); err != nil {
		return findings{}, 0, err
	}
	defer t.stores.close()
	conn, err := nats.Connect(t.system.natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return findings{}, 0, err
	}
	defer conn.Close()
	if t.js, err = jetstream.New(conn); err != nil {
		return findings{}, 0, err
	}
	err = cluster.Eventually(ctx, time.Minute, func(ctx context.Context) (err error) {
		t.ackWait, err = ackWait(ctx, t.js)
		return err
	})
	if err != nil {
		return findings{}, 0, fmt.Errorf("look at the consumers: %w", err)
	}
	for round := 1; round <= t.options.rounds; round++ {
		found, err := t.round(ctx, round)
		if err != nil || !found.green() {
			return found, round, err
		}
	}
	return findings{}, t.options.rounds, nil
}

// round breaks the system under load, lets it come to rest and looks at what is left.
func (t *trial) round(ctx context.Context, round int) (findings, error) {
	began := time.Now()
	shop := &shop{}
	l := &load{system: t.system, client: t.client, ledger: t.ledger, shop: shop, round: round}
	if err := l.prepare(ctx, t.options.random(1, round)); err != nil {
		return findings{}, err
	}
	rivals, err := t.storm(ctx, l, round)
	if err != nil {
		return findings{}, err
	}
	if err := ctx.Err(); err != nil {
		return findings{}, errors.New("interrupted")
	}
	broken := time.Since(began)
	last, err := settle(ctx, t.system, t.stores, t.js, 2*t.ackWait+5*time.Minute)
	if err != nil {
		var f findings
		f.addOther("stuck: %v", err)
		return f, nil
	}
	calm := time.Since(began) - broken
	found, err := t.look(ctx)
	if err != nil {
		return found, err
	}
	found.other = append(found.other, rivals...)
	outcomes, orders := t.ledger.tally()
	fmt.Printf("round %d: %d orders, %d done, %d refused, %d unanswered; %s of trouble, calm %s later (waited for: %s)\n  %s",
		round, orders, outcomes[done], outcomes[refused], outcomes[open],
		broken.Round(time.Second), calm.Round(time.Second), last, found.line())
	return found, nil
}

// storm is the part of a round in which things break. It ends when everything runs again and every answer has come, and tells of
// relays that were two at a time.
func (t *trial) storm(ctx context.Context, l *load, round int) (rivals []string, err error) {
	length, long := t.options.duration, t.longPause(round)
	if long != nil {
		length = max(length, long.hold)
	}
	rob, calm := func(context.Context) {}, time.Duration(0)
	sabotage := (&squatter{stores: t.stores, random: t.options.random(3, round), tally: t.tally}).run
	if t.system.mariadb != nil {
		s := &saboteur{db: t.stores.server, shop: l.shop, random: t.options.random(3, round), tally: t.tally}
		if err := s.prepare(ctx); err != nil {
			return nil, fmt.Errorf("prepare sabotage: %w", err)
		}
		sabotage, rob, calm = s.run, s.rob, theft+lookedAt
	}
	working, rest := context.WithTimeout(ctx, calm+length)
	defer rest()
	var helpers sync.WaitGroup
	helpers.Go(func() { l.run(working, t.options) })
	helpers.Go(func() { rivals = watch(working, t.system) })
	again := &repeater{js: t.js, random: t.options.random(4, round), tally: t.tally}
	helpers.Go(func() { again.run(working) })
	rob(working)
	helpers.Go(func() { sabotage(working) })
	err = newChaos(t.system, t.options.random(2, round), t.tally).run(working, length, long)
	helpers.Wait()
	return rivals, err
}

// longPause is, in every second round, a replica that sleeps for longer than the ack wait: its messages go to the other one, and
// it wakes up with them in its hands.
func (t *trial) longPause(round int) *blow {
	if t.system.mariadb == nil || round%2 == 1 {
		return nil
	}
	service := []string{"event", "order"}[round/2%2]
	return &blow{
		pause: true, target: t.system.of(service)[0].Process, label: service + " (over the ack wait)", hold: t.ackWait + 2*time.Second,
	}
}

// look collects the evidence and checks it.
func (t *trial) look(ctx context.Context) (findings, error) {
	if err := t.tape.read(ctx, t.js); err != nil {
		return findings{}, err
	}
	e, err := collect(ctx, t.stores)
	if err != nil {
		return findings{}, err
	}
	e.stream = t.tape.messages
	found := verify(e, t.ledger.snapshot())
	checkLeases(ctx, t.system, &found)
	checkFront(ctx, t, e, &found)
	for _, end := range t.system.ends() {
		found.addOther("%s", end)
	}
	return found, nil
}

// report prints what the run was and what it found.
func (t *trial) report(rounds int, found findings) {
	outcomes, orders := t.ledger.tally()
	fmt.Printf("\nseed         %d\nrounds       %d\norders       %d\nrequests     %d acknowledged, %d refused, %d without an answer\n%s\n%s",
		t.options.seed, rounds, orders, outcomes[done], outcomes[refused], outcomes[open], t.tally.lines(), found.line())
}
