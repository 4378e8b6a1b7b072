package eventsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event/query"
)

const (
	// searchTime is how long a page of the history looks for events that several filters leave, before it ends with what it has.
	searchTime = 20 * time.Millisecond
	// A search with several filters goes through the history in steps of positions, each of which takes a bounded time even if all its events
	// have to be looked at. They grow as long as they are passed quickly.
	leastStep, mostStep = 4 << 10, 8 << 10
	quickStep           = 5 * time.Millisecond
)

// positionRange is a part of the history, both ends included.
type positionRange struct{ low, high int64 }

// nowhere is an empty range.
var nowhere = positionRange{1, 0}

func (r positionRange) empty() bool { return r.low > r.high }

// behind returns what is left of r behind a position.
func (r positionRange) behind(position int64, ascending bool) positionRange {
	if ascending {
		r.low = max(r.low, position+1)
	} else {
		r.high = min(r.high, position-1)
	}
	return r
}

// historySearch goes through the ranges of the history that may have events of a filter, in the order of a list.
type historySearch struct {
	db        *sqldb.DB
	filter    query.EventFilter
	ascending bool
	// equalities are the filters by value, the one that usually leaves the fewest events first.
	equalities []equality
	index      string // that all statements go by
	bounded    bool   // what the index finds may fail other conditions

	rest     positionRange // not looked at yet
	window   positionRange // of it, where the blocks of the time window are known to be; empty: nowhere
	step     int64
	lastStep time.Time // when it began

	windows    []positionRange // that follow window, as far as they have been read
	blocksRead int             // at once
}

func newHistorySearch(db *sqldb.DB, f query.EventFilter, p query.Page) *historySearch {
	s := &historySearch{
		equalities: given(
			equality{"correlation_id", f.CorrelationID, "history_correlation"}, equality{"partition_key", f.Key, "history_key_position"},
			equality{"type", f.Type, "history_type"}, equality{"source", f.Source, "history_source"},
		),
		db: db, filter: f, ascending: p.Ascending, rest: positionRange{1, math.MaxInt64}, window: nowhere,
		step: leastStep, blocksRead: leastBlocks,
	}
	if p.Behind > 0 {
		s.rest = s.rest.behind(p.Behind, p.Ascending)
	}
	s.bounded = len(s.equalities) > 1 || s.timed()
	return s
}

// timed reports whether the filter has a time window.
func (s *historySearch) timed() bool { return s.filter.After != nil || s.filter.Before != nil }

// next returns the range to be looked at next; found is false behind the last one.
func (s *historySearch) next(ctx context.Context) (r positionRange, found bool, err error) {
	if !s.bounded {
		r, s.rest = s.rest, nowhere
		return r, !r.empty(), nil
	}
	if err := s.skip(ctx); err != nil {
		return r, false, err
	}
	if err := s.narrow(ctx); err != nil || s.window.empty() {
		return r, false, err
	}
	s.adapt()
	r = s.window
	if s.ascending {
		r.high = min(r.high, r.low+s.step-1)
		s.rest.low, s.window.low = r.high+1, r.high+1
	} else {
		r.low = max(r.low, r.high-s.step+1)
		s.rest.high, s.window.high = r.low-1, r.low-1
	}
	return r, true, nil
}

// adapt makes the steps larger as long as they are quick.
func (s *historySearch) adapt() {
	now := time.Now()
	if !s.lastStep.IsZero() && now.Sub(s.lastStep) < quickStep {
		s.step = min(2*s.step, mostStep)
	}
	s.lastStep = now
}

// reached returns the position behind which a search goes on that ended here, 0 where nothing is left.
func (s *historySearch) reached() int64 {
	switch {
	case s.rest.empty():
		return 0
	case s.ascending:
		return s.rest.low - 1
	}
	return s.rest.high + 1
}

// skip goes on to the next event that the index has, so that a rare value costs as little as it has events.
func (s *historySearch) skip(ctx context.Context) error {
	if s.index == "" || s.rest.empty() {
		return nil
	}
	var w where
	for _, c := range s.equalities {
		if c.index == s.index {
			w.equal(c.column, c.value)
		}
	}
	w.add("position >= ?", s.rest.low)
	w.add("position <= ?", s.rest.high)
	var position int64
	err := s.db.QueryRow(ctx, "SELECT position FROM history"+s.db.Dialect().UseIndex(s.index)+w.clause()+s.order(), append(w.args, 1)...).
		Scan(&position)
	if errors.Is(err, sql.ErrNoRows) {
		s.rest, s.window = nowhere, nowhere
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the next event: %w", err)
	}
	if s.ascending {
		position--
	} else {
		position++
	}
	s.rest, s.window = s.rest.behind(position, s.ascending), s.window.behind(position, s.ascending)
	return nil
}

// order ends a statement for up to n events.
func (s *historySearch) order() string {
	if s.ascending {
		return " ORDER BY position LIMIT ?"
	}
	return " ORDER BY position DESC LIMIT ?"
}

// narrow finds the next window where there is none.
func (s *historySearch) narrow(ctx context.Context) (err error) {
	if !s.window.empty() || s.rest.empty() {
		return nil
	}
	if s.rest.high == math.MaxInt64 { // up to the newest
		err := s.db.QueryRow(ctx, "SELECT last FROM history_position WHERE id = 1").Scan(&s.rest.high)
		if err != nil || s.rest.empty() {
			return err
		}
	}
	if !s.timed() {
		s.window = s.rest
		return nil
	}
	s.window, err = s.nextWindow(ctx)
	return err
}

// statement asks for up to n events of a range.
func (s *historySearch) statement(r positionRange, n int) (statement string, args []any) {
	var w where
	for _, c := range s.equalities {
		w.equal(c.column, c.value)
	}
	w.add("position >= ?", r.low)
	w.add("position <= ?", r.high)
	w.between("time", s.filter.After, s.filter.Before)
	index := byPosition(s.db.Dialect())
	if s.index != "" {
		index = s.db.Dialect().UseIndex(s.index)
	}
	return "SELECT " + eventColumns + " FROM history" + index + w.clause() + s.order(), append(w.args, n)
}
