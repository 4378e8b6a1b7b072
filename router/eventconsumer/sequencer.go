package eventconsumer

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/event/command"
)

// SequencerConfig says how a Sequencer paces itself. Zero values mean the defaults.
type SequencerConfig struct {
	Poll   time.Duration // how often it looks without being woken, for what a crashed replica recorded; 500 ms
	Pause  time.Duration // the least time between two batches that were not full: under load it numbers more events at once; 5 ms
	Logger *slog.Logger
}

// Sequencer gives recorded events their positions, so that readers see them. One runs in each process that records; they may run
// beside each other.
type Sequencer struct {
	assign *command.AssignPositionsHandler
	cfg    SequencerConfig
	wake   chan struct{}
}

// NewSequencer makes a Sequencer.
func NewSequencer(assign *command.AssignPositionsHandler, cfg SequencerConfig) *Sequencer {
	cfg.Poll = cmp.Or(cfg.Poll, 500*time.Millisecond)
	cfg.Pause = cmp.Or(cfg.Pause, 5*time.Millisecond)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sequencer{assign: assign, cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake says that an event was recorded. It never blocks.
func (s *Sequencer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. A database that is away is no reason to end: the events wait, and get their positions when it is back.
func (s *Sequencer) Run(ctx context.Context) error {
	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	failing := false
	for ctx.Err() == nil {
		err := s.drain(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			failing = true
			s.cfg.Logger.WarnContext(ctx, "recorded events wait for their positions", "error", err)
		case err == nil && failing:
			failing = false
			s.cfg.Logger.InfoContext(ctx, "recorded events get their positions again")
		}
		s.wait(ctx, poll.C, failing)
	}
	return nil
}

// drain gives positions until a batch was not full.
func (s *Sequencer) drain(ctx context.Context) error {
	for {
		more, err := s.assign.Handle(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// wait returns when there may be something to do: at once after a wake, except that batches keep their distance, and after a failure
// not before the next poll.
func (s *Sequencer) wait(ctx context.Context, poll <-chan time.Time, failing bool) {
	wake := s.wake
	if failing {
		wake = nil
	}
	pause := time.NewTimer(s.cfg.Pause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return
	case <-pause.C:
	}
	select {
	case <-ctx.Done():
	case <-poll:
	case <-wake:
	}
}
