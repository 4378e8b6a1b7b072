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

// processFault takes a process down for a while.
type processFault struct {
	pause    bool // SIGSTOP instead of SIGKILL
	target   *cluster.Process
	label    string        // the name under which it is counted
	downtime time.Duration // until the process is restarted or resumed
}

// relayLease is the duration of the relay's lease. A relay that is paused for longer resumes after another one has taken over.
const relayLease = 4 * time.Second

// processFaultInjector kills and pauses processes.
type processFaultInjector struct {
	system *system
	random *rand.Rand
	faults *faultCounts

	mu     sync.Mutex
	down   map[*cluster.Process]bool
	errs   []error
	active sync.WaitGroup
}

func newProcessFaultInjector(s *system, random *rand.Rand, counts *faultCounts) *processFaultInjector {
	return &processFaultInjector{system: s, random: random, faults: counts, down: map[*cluster.Process]bool{}}
}

// run injects faults for d: first each kind once in random order, then those of the services repeatedly. longPause comes first if it is
// not nil. run returns when all processes run again.
func (p *processFaultInjector) run(ctx context.Context, d time.Duration, longPause *processFault) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if longPause != nil {
		p.inject(ctx, *longPause)
	}
	queue := p.shuffledFaults(true)
	interval := d / time.Duration(len(queue)+3)
	for cluster.Sleep(ctx, interval/2+time.Duration(p.random.Int64N(int64(interval)))) {
		if len(queue) == 0 {
			queue = p.shuffledFaults(false)
		}
		p.inject(ctx, queue[0])
		queue = queue[1:]
	}
	p.active.Wait()
	return errors.Join(p.errs...)
}

// shuffledFaults returns one fault of each kind in random order. With MariaDB, includeServers adds those of MariaDB and nats-server.
func (p *processFaultInjector) shuffledFaults(includeServers bool) []processFault {
	var faults []processFault
	if p.system.mariadb == nil {
		single := p.system.replicas[0].Process
		faults = []processFault{
			{target: single, label: "process", downtime: p.between(100, 1000)},
			{target: single, label: "process", downtime: p.between(100, 1000)},
			{target: single, label: "process", downtime: p.between(100, 1000)},
			{pause: true, target: single, label: "process", downtime: p.between(500, 3000)},
		}
	} else {
		for _, service := range cluster.Services {
			replicas := p.system.replicasOf(service)
			kill := processFault{target: replicas[p.random.IntN(2)].Process, label: service, downtime: p.between(100, 3000)}
			pause := processFault{
				pause: true, target: replicas[p.random.IntN(2)].Process, label: service, downtime: relayLease + p.between(500, 3000),
			}
			faults = append(faults, kill, pause)
		}
	}
	if p.system.mariadb != nil && includeServers {
		faults = append(faults,
			processFault{target: p.system.nats.Process, label: "nats-server", downtime: p.between(100, 2000)},
			processFault{target: p.system.mariadb.Process, label: "mariadbd", downtime: p.between(100, 1500)},
			processFault{pause: true, target: p.system.nats.Process, label: "nats-server", downtime: p.between(500, 6000)},
			processFault{pause: true, target: p.system.mariadb.Process, label: "mariadbd", downtime: p.between(500, 6000)})
	}
	p.random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}

// between returns a random duration of at least low and less than high milliseconds.
func (p *processFaultInjector) between(low, high int64) time.Duration {
	return time.Duration(low+p.random.Int64N(high-low)) * time.Millisecond
}

// inject applies a fault in the background. It skips a target that is down already.
func (p *processFaultInjector) inject(ctx context.Context, f processFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down[f.target] {
		return
	}
	p.down[f.target] = true
	p.active.Go(func() {
		// The round's context does not cancel this: the process must run again when the round ends early.
		err := p.apply(context.WithoutCancel(ctx), f)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.down[f.target] = false
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s: %w", f.label, err))
		}
	})
}

// apply takes the target down and, after the downtime, up again.
func (p *processFaultInjector) apply(ctx context.Context, f processFault) error {
	takeDown, bringUp := f.target.Kill, f.target.Start
	if f.pause {
		takeDown, bringUp = f.target.Pause, f.target.Resume
	}
	if err := takeDown(); err != nil {
		return err
	}
	p.faults.addProcessFault(f)
	cluster.Sleep(ctx, f.downtime)
	return bringUp()
}
