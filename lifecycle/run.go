package lifecycle

import (
	"context"
	"errors"
)

// Run runs the service until ctx ends, and then drains it. A database or broker that cannot be reached is tried again for as long as it
// takes. The error says what failed for good; a drain that came in time, or was cut short, is none.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// The workers and the relay outlive ctx: the last effects of the consumers go through them.
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	workers, _ := NewGroup(working)

	err := s.start(ctx, working, workers)
	if err == nil {
		err = s.consume(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // asked to end while it started
	}
	stopWorking()
	return errors.Join(err, workers.Wait())
}

// start brings the service up in the order of what needs what: the database, what requests need, the relay, the broker, the workers.
func (s *Service) start(ctx, working context.Context, workers *Group) error {
	if err := s.retry(ctx, "database", s.prepare); err != nil {
		return err
	}
	for _, w := range s.cfg.EarlyWorkers {
		workers.Go(w.Name, func() error { return s.work(working, w) })
	}
	if s.cfg.Relay != nil { // it counts what waits, also while the broker is away
		workers.Go("relay", func() error { return s.cfg.Relay.Run(working) })
	}
	if s.cfg.Broker != nil {
		if err := s.retry(ctx, "broker", s.provision); err != nil {
			return err
		}
		workers.Go("provisioning", func() error { return s.work(working, Worker{"provisioning", s.keepProvisioned}) })
	}
	for _, w := range s.cfg.Workers {
		workers.Go(w.Name, func() error { return s.work(working, w) })
	}
	return nil
}

// prepare runs the steps that make the service ready for requests.
func (s *Service) prepare(ctx context.Context) error {
	for _, step := range s.cfg.Prepare {
		if err := step(ctx); err != nil {
			s.prepareErr.Store(&err)
			return err
		}
	}
	s.prepared.Store(true)
	return nil
}

// consume handles messages until ctx ends and the consumers are drained. Consumers that end by themselves have failed.
func (s *Service) consume(ctx context.Context) error {
	if s.cfg.Router == nil || len(s.cfg.Consumers) == 0 {
		<-ctx.Done()
		return nil
	}
	err := s.cfg.Router.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		// A handler is slow or the broker does not answer. The messages were not acknowledged and come again.
		s.log.WarnContext(ctx, "consumers did not stop in time, their messages will be redelivered", "error", err)
		return nil
	}
	return err
}

// work runs a worker. Where it returns before ctx ends, the service is not ready from then on.
func (s *Service) work(ctx context.Context, w Worker) error {
	err := w.Run(ctx)
	if ctx.Err() != nil {
		if errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	s.log.ErrorContext(ctx, "worker ended, the service is not ready any more: restart the process", "worker", w.Name, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, w.Name)
	return nil
}
