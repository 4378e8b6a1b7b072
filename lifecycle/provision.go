package lifecycle

import (
	"context"
	"time"
)

// provision makes the streams and durable consumers, which nothing ever deletes.
func (s *Service) provision(ctx context.Context) error {
	if err := s.cfg.Broker.EnsureStreams(ctx, s.cfg.Streams...); err != nil {
		return err
	}
	for _, c := range s.cfg.Consumers {
		if err := s.provisionConsumer(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// provisionConsumer makes the durables of a consumer, one for each topic. The stream of the first topic is the one that its inbox follows.
func (s *Service) provisionConsumer(ctx context.Context, c Consumer) error {
	for i, topic := range c.Topics {
		complete, err := s.cfg.Broker.EnsureConsumer(ctx, c.Name, topic)
		if err != nil {
			return err
		}
		if i > 0 || c.Inbox == nil {
			continue
		}
		if err := c.Inbox.Begin(ctx, complete); err != nil {
			return err
		}
	}
	return nil
}

const (
	connectionPoll = 100 * time.Millisecond // how often the connection is looked at
	provisionEvery = 30 * time.Second       // how often streams and consumers are, though the connection stands
)

// keepProvisioned provisions again after each reconnection, because the broker may have come back without its files, and from time to time.
func (s *Service) keepProvisioned(ctx context.Context) error {
	poll := time.NewTicker(connectionPoll)
	defer poll.Stop()
	connected, last := s.cfg.Broker.Connected(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		}
		before := connected
		if connected = s.cfg.Broker.Connected(); !connected || before && time.Since(last) < provisionEvery {
			continue
		}
		if err := s.retry(ctx, "streams and consumers", s.provision); err != nil {
			return err
		}
		connected, last = s.cfg.Broker.Connected(), time.Now()
	}
}
