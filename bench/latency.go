package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

// measureLatency places 100 orders per second and measures when an external subscriber receives each order's event. The baseline is a
// relay that polls its outbox, at the same rate.
func measureLatency(ctx context.Context, h *harness) error {
	h.progress("latency: %d orders/s", openLoopRate)
	s, err := h.startSplit(ctx, "user", "order", "event")
	if err != nil {
		return err
	}
	err = s.compareLatency(ctx)
	return errors.Join(err, s.stop())
}

func (s *system) compareLatency(ctx context.Context) error {
	eventLatencies, responseTimes, err := s.measureEventLatency(ctx)
	if err != nil {
		return err
	}
	if _, err := s.awaitIdle(ctx); err != nil {
		return err
	}
	baseline, err := s.measurePollingLatency(ctx)
	if err != nil {
		return err
	}
	for _, p := range []struct{ percent, limit int }{{50, 10}, {90, 0}, {99, 50}} {
		r := result{
			Section: "latency", Name: fmt.Sprintf("request start to event received by an external subscriber, %d orders/s, p%d",
				openLoopRate, p.percent),
			Value: milliseconds(percentile(eventLatencies, p.percent)), Unit: "ms",
			Notes: map[string]float64{
				"events": float64(len(eventLatencies)), "response ms": milliseconds(percentile(responseTimes, p.percent)),
			},
		}.withBaseline("relay that polls every 100 ms", milliseconds(percentile(baseline, p.percent)))
		if p.limit > 0 {
			r = r.withTarget(fmt.Sprintf("< %d ms", p.limit), r.Value < float64(p.limit))
		}
		s.harness.add(r)
	}
	return nil
}

// measureEventLatency places orders. For each it returns the time from when the request was due to when the event was received, and to
// when the response was received.
func (s *system) measureEventLatency(ctx context.Context) (eventLatencies, responseTimes []time.Duration, err error) {
	tokens, err := s.createUsers(ctx, 8)
	if err != nil {
		return nil, nil, err
	}
	listener, err := listenForEvents(s.natsURL, envelope.Topic(contract.TypeOrderPlaced), envelope.MetaCorrelation)
	if err != nil {
		return nil, nil, err
	}
	defer listener.close()
	address := s.replicaOf("order").Address
	idleClients := make(chan *orderClient, openLoopWorkers)
	for range openLoopWorkers {
		c, err := dialOrders(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		defer c.close()
		idleClients <- c
	}
	place := func(ctx context.Context, first, n int) (due []time.Time, durations []time.Duration, err error) {
		return runOpenLoop(ctx, n, func(i int) error {
			c := <-idleClients
			defer func() { idleClients <- c }()
			return c.send(encodeOrderRequest(address, tokens[i%len(tokens)], correlationID(first+i)))
		})
	}
	if _, _, err := place(ctx, -openLoopRate-1, openLoopRate); err != nil { // one second of warm-up
		return nil, nil, err
	}
	due, responseTimes, err := place(ctx, 0, s.harness.openLoopCount())
	if err != nil {
		return nil, nil, err
	}
	eventLatencies, err = listener.await(ctx, due)
	return eventLatencies, responseTimes, err
}
