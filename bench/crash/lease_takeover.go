package main

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// Each round begins with a forced takeover of every relay lease, under load but before other faults. If a relay failed to notice that
// it had lost its lease, monitorLeases would see two holders for longer than maxLeaseOverlap.
const (
	takeoverLimit   = 3 * time.Second // for another relay to take the lease
	observationTime = maxLeaseOverlap + 1500*time.Millisecond
)

// forceTakeovers makes each service's lease pass to the other relay, and waits long enough for monitorLeases to detect two holders.
func (d *databaseFaultInjector) forceTakeovers(ctx context.Context) {
	var services sync.WaitGroup
	for _, service := range cluster.Services {
		services.Go(func() { d.forceTakeover(ctx, service) })
	}
	services.Wait()
	cluster.Sleep(ctx, observationTime)
}

// forceTakeover expires a service's lease repeatedly until another relay holds it. Once is not enough, because the holder renews its
// lease every second.
func (d *databaseFaultInjector) forceTakeover(ctx context.Context, service string) {
	ctx, cancel := context.WithTimeout(ctx, takeoverLimit)
	defer cancel()
	before, err := d.leaseHolder(ctx, service)
	for err == nil && cluster.Sleep(ctx, 20*time.Millisecond) {
		if err = d.expireLease(ctx, service); err != nil {
			return
		}
		var now string
		if now, err = d.leaseHolder(ctx, service); err == nil && now != before {
			d.faults.addLostLease()
			return
		}
	}
}

// expireLease sets the expiry of a relay's lease into the past.
func (d *databaseFaultInjector) expireLease(ctx context.Context, service string) error {
	_, err := d.db.ExecContext(ctx, "UPDATE millrace_"+service+".lease SET expires_at = 0 WHERE name = 'relay'")
	return err
}

func (d *databaseFaultInjector) leaseHolder(ctx context.Context, service string) (name string, err error) {
	err = d.db.QueryRowContext(ctx, "SELECT holder FROM millrace_"+service+".lease WHERE name = 'relay'").Scan(&name)
	return name, err
}
