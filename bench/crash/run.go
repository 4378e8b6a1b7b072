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

// Components with a random number generator of their own, as options.newRand takes them.
const (
	randPrepare = iota + 1
	randProcessFaults
	randDatabaseFaults
	randRepublisher
	randClients = 100 // the first of one per client
)

// crashTest is one run of this program.
type crashTest struct {
	options   options
	system    *system
	databases *databases
	js        jetstream.JetStream
	client    *client
	requests  *requestLog
	faults    *faultCounts
	stream    *streamReader
	ackWait   time.Duration
}

// run starts the system, runs the rounds and prints the report. It reports whether all checks passed in all rounds.
func run(ctx context.Context, o options) (passed bool, err error) {
	if err := os.RemoveAll(o.dir); err != nil {
		return false, err
	}
	fmt.Printf("seed %d, %d rounds of %s, %s\n", o.seed, o.rounds, o.duration, o.dir)
	s, err := newSystem(ctx, o)
	if err != nil {
		return false, err
	}
	t := &crashTest{
		options: o, system: s, client: newClient(), requests: newRequestLog(), faults: newFaultCounts(), stream: &streamReader{},
	}
	found, rounds, err := t.runRounds(ctx)
	// The processes are stopped also after an error. Each service must drain and exit with 0, which is one more check.
	if stopErr := s.stop(); stopErr != nil {
		found.addOther("at the end: %v", stopErr)
	}
	for _, exit := range s.unexpectedExits() {
		found.addOther("%s", exit)
	}
	found.print()
	t.report(rounds, found)
	passed = err == nil && found.empty() && rounds == o.rounds
	if passed && !o.keep {
		return true, os.RemoveAll(o.dir)
	}
	fmt.Printf("data and logs are kept in %s\n", o.dir)
	return passed, err
}

// runRounds runs the rounds until one of them has findings. It returns these findings and the number of the last round.
func (t *crashTest) runRounds(ctx context.Context) (findings, int, error) {
	if err := t.system.start(ctx); err != nil {
		return findings{}, 0, err
	}
	var err error
	if t.databases, err = openDatabases(t.system); err != nil {
		return findings{}, 0, err
	}
	defer t.databases.close()
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
		t.ackWait, err = longestAckWait(ctx, t.js)
		return err
	})
	if err != nil {
		return findings{}, 0, fmt.Errorf("read the consumers' ack wait: %w", err)
	}
	for round := 1; round <= t.options.rounds; round++ {
		found, err := t.runRound(ctx, round)
		if err != nil || !found.empty() {
			return found, round, err
		}
	}
	return findings{}, t.options.rounds, nil
}

// runRound injects faults under load, waits until the system is idle, and runs the checks.
func (t *crashTest) runRound(ctx context.Context, round int) (findings, error) {
	start := time.Now()
	l := &load{system: t.system, client: t.client, requests: t.requests, state: &loadState{}, round: round}
	if err := l.prepare(ctx, t.options.newRand(randPrepare, round)); err != nil {
		return findings{}, err
	}
	leaseFindings, err := t.injectFaults(ctx, l, round)
	if err != nil {
		return findings{}, err
	}
	if err := ctx.Err(); err != nil {
		return findings{}, errors.New("interrupted")
	}
	faultTime := time.Since(start)
	lastPending, err := awaitIdle(ctx, t.system, t.databases, t.js, 2*t.ackWait+5*time.Minute)
	if err != nil {
		var f findings
		f.addOther("not idle in time: %v", err)
		return f, nil
	}
	idleAfter := time.Since(start) - faultTime
	found, err := t.check(ctx)
	if err != nil {
		return found, err
	}
	found.other = append(found.other, leaseFindings...)
	outcomes, orders := t.requests.count()
	fmt.Printf("round %d: %d orders, %d acknowledged, %d rejected, %d unknown; faults for %s, idle %s later (last pending: %s)\n  %s",
		round, orders, outcomes[acknowledged], outcomes[rejected], outcomes[unknown],
		faultTime.Round(time.Second), idleAfter.Round(time.Second), lastPending, found.summary())
	return found, nil
}

// injectFaults runs load and faults together. It returns when all processes run again and all requests have ended. leaseFindings names
// the services of which two relays held the lease at the same time.
func (t *crashTest) injectFaults(ctx context.Context, l *load, round int) (leaseFindings []string, err error) {
	length, longPause := t.options.duration, t.pauseBeyondAckWait(round)
	if longPause != nil {
		length = max(length, longPause.downtime)
	}
	forceTakeovers, takeoverTime := func(context.Context) {}, time.Duration(0)
	databaseFaults := (&sqliteLockHolder{
		databases: t.databases, random: t.options.newRand(randDatabaseFaults, round), faults: t.faults,
	}).run
	if t.system.mariadb != nil {
		d := &databaseFaultInjector{
			db: t.databases.server, state: l.state, random: t.options.newRand(randDatabaseFaults, round), faults: t.faults,
		}
		if err := d.prepare(ctx); err != nil {
			return nil, fmt.Errorf("prepare database faults: %w", err)
		}
		databaseFaults, forceTakeovers, takeoverTime = d.run, d.forceTakeovers, takeoverLimit+observationTime
	}
	roundCtx, cancel := context.WithTimeout(ctx, takeoverTime+length)
	defer cancel()
	var tasks sync.WaitGroup
	tasks.Go(func() { l.run(roundCtx, t.options) })
	tasks.Go(func() { leaseFindings = monitorLeases(roundCtx, t.system) })
	r := &republisher{js: t.js, random: t.options.newRand(randRepublisher, round), faults: t.faults}
	tasks.Go(func() { r.run(roundCtx) })
	forceTakeovers(roundCtx)
	tasks.Go(func() { databaseFaults(roundCtx) })
	err = newProcessFaultInjector(t.system, t.options.newRand(randProcessFaults, round), t.faults).run(roundCtx, length, longPause)
	tasks.Wait()
	return leaseFindings, err
}

// pauseBeyondAckWait returns, in every second round, a fault that pauses a replica for longer than the ack wait. The broker then
// redelivers the replica's messages to the other one, and the paused replica resumes while it still handles them.
func (t *crashTest) pauseBeyondAckWait(round int) *processFault {
	if t.system.mariadb == nil || round%2 == 1 {
		return nil
	}
	service := []string{"event", "order"}[round/2%2]
	return &processFault{
		pause: true, target: t.system.replicasOf(service)[0].Process, label: service + " (over the ack wait)",
		downtime: t.ackWait + 2*time.Second,
	}
}

// check reads the state of the idle system and runs all checks.
func (t *crashTest) check(ctx context.Context) (findings, error) {
	if err := t.stream.readNew(ctx, t.js); err != nil {
		return findings{}, err
	}
	observed, err := readState(ctx, t.databases)
	if err != nil {
		return findings{}, err
	}
	observed.stream = t.stream.messages
	found := verify(observed, t.requests.snapshot())
	checkLeases(ctx, t.system, &found)
	checkREST(ctx, t, observed, &found)
	for _, exit := range t.system.unexpectedExits() {
		found.addOther("%s", exit)
	}
	return found, nil
}

// report prints the totals of the run and the number of findings.
func (t *crashTest) report(rounds int, found findings) {
	outcomes, orders := t.requests.count()
	fmt.Printf("\nseed         %d\nrounds       %d\norders       %d\nrequests     %d acknowledged, %d rejected, %d unknown\n%s\n%s",
		t.options.seed, rounds, orders, outcomes[acknowledged], outcomes[rejected], outcomes[unknown], t.faults.report(), found.summary())
}
