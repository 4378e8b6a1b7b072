package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// squatter is sabotage on SQLite: it sits on the write lock of a database, as a backup tool may, so that the service's writer
// finds it busy.
type squatter struct {
	stores *stores
	random *rand.Rand
	tally  *tally
}

// run works until ctx ends.
func (s *squatter) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(300+s.random.IntN(1500))*time.Millisecond) {
		service := cluster.Services[s.random.IntN(len(cluster.Services))]
		hold := time.Duration(20+s.random.IntN(400)) * time.Millisecond
		if s.sit(ctx, service, hold) == nil {
			s.tally.snared(0)
		}
	}
}

func (s *squatter) sit(ctx context.Context, service string, hold time.Duration) error {
	conn, err := s.stores.of[service].Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	cluster.Sleep(ctx, hold)
	_, err = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err
}
