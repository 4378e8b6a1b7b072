package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/eventsql/dataset"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

const (
	filterEvents  = 1_140_000
	filterPoison  = 100_000
	filterSamples = 200
	filterTarget  = 100 * time.Millisecond
)

// measureHistoryFilters measures how long a page of the history and of the poison queue takes for each filter, in the event service's own
// store, on MariaDB and on SQLite.
func measureHistoryFilters(ctx context.Context, h *harness) error {
	events, poison := filterEvents, filterPoison
	if h.quick {
		events, poison = events/20, poison/20
	}
	for _, sqlite := range []bool{false, true} {
		if err := h.compareFilters(ctx, sqlite, events, poison); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) compareFilters(ctx context.Context, sqlite bool, events, poison int) (err error) {
	database := "MariaDB"
	if sqlite {
		database = "SQLite"
	}
	h.progress("history-filters: %d events, %d poison messages, %s", events, poison, database)
	db, err := h.openService(ctx, sqlite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := dataset.FillHistory(ctx, db, events); err != nil {
		return err
	}
	if err := dataset.FillPoison(ctx, db, poison); err != nil {
		return err
	}
	store := eventsql.NewStore(db, sqldb.NewOutbox(db, sqldb.OutboxConfig{}), envelope.RequeueKey{})
	for _, c := range slices.Concat(eventFilters(store, events), poisonFilters(store, poison)) {
		if err := h.measureFilter(ctx, c, database); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// openService opens and migrates a database of the event service as the service does.
func (h *harness) openService(ctx context.Context, sqlite bool) (*sqldb.DB, error) {
	name := h.uniqueName("filters")
	dir, err := h.makeDir(name)
	if err != nil {
		return nil, err
	}
	cfg := sqldb.Config{URL: "sqlite:", DataDir: dir, Name: name, Logger: slog.New(slog.DiscardHandler)}
	if !sqlite {
		cfg.URL = h.mariadb.URL(serviceAccount)
	}
	db, err := sqldb.Open(cfg)
	if err != nil {
		return nil, err
	}
	return db, db.Migrate(ctx, eventsql.Migrations)
}

// filterCase asks for the n-th of several pages and returns how many items it has.
type filterCase struct {
	name string
	page func(ctx context.Context, n int) (items int, err error)
}

// measureFilter asks for pages of a filter one after the other.
func (h *harness) measureFilter(ctx context.Context, c filterCase, database string) error {
	var took []time.Duration
	items := 0
	for n := range filterSamples {
		begin := time.Now()
		got, err := c.page(ctx, n)
		if err != nil {
			return err
		}
		took, items = append(took, time.Since(begin)), max(items, got)
	}
	p99 := percentile(took, 99)
	r := result{
		Section: "history-filters", Name: c.name + ", " + database + ", p99", Value: milliseconds(p99), Unit: "ms",
		Notes: map[string]float64{"p50 ms": milliseconds(percentile(took, 50)), "items": float64(items)},
	}
	h.add(r.withTarget("< 100 ms", p99 < filterTarget))
	return nil
}

// eventFilters are filters of a history of n events. The pages of each are spread over it.
func eventFilters(store *eventsql.Store, n int) []filterCase {
	at := func(share float64) *time.Time {
		return new(dataset.Begin.Add(time.Duration(share*float64(n)) * time.Second))
	}
	var cases []filterCase
	add := func(name string, f query.EventFilter, ascending bool) {
		cases = append(cases, filterCase{"events: " + name, func(ctx context.Context, sample int) (int, error) {
			p := query.Page{Limit: 50, Ascending: ascending}
			if sample > 0 {
				p.Behind = int64(sample) * int64(n) / filterSamples
			}
			events, _, err := store.Events(ctx, f, p)
			return len(events), err
		}})
	}
	both := func(name string, f query.EventFilter) {
		add(name, f, false)
		add(name+", oldest first", f, true)
	}
	both("no filter", query.EventFilter{})
	both("type, a third", query.EventFilter{Type: "order.placed.v1"})
	both("type, the oldest 20 alone", query.EventFilter{Type: dataset.RareType})
	both("source, a third", query.EventFilter{Source: "/clients/a"})
	both("source that is unknown", query.EventFilter{Source: "/nowhere"})
	both("key of some 11 events", query.EventFilter{Key: "key-17"})
	both("key of a tenth", query.EventFilter{Key: dataset.HotKey})
	both("correlation_id", query.EventFilter{CorrelationID: "request-4000"})
	both("before, the oldest hundredth", query.EventFilter{Before: at(.01)})
	both("before, half", query.EventFilter{Before: at(.5)})
	both("after, half", query.EventFilter{After: at(.5)})
	both("after, the newest thousandth", query.EventFilter{After: at(.999)})
	both("after and before, a thousandth", query.EventFilter{After: at(.4), Before: at(.401)})
	both("after and before, nothing", query.EventFilter{After: at(2), Before: at(3)})
	both("type, a third, before half", query.EventFilter{Type: "order.placed.v1", Before: at(.5)})
	both("type, the oldest 20, before half", query.EventFilter{Type: dataset.RareType, Before: at(.5)})
	both("type, the oldest 20, after half", query.EventFilter{Type: dataset.RareType, After: at(.5)})
	both("source, a third, in a tenth", query.EventFilter{Source: "/clients/a", After: at(.1), Before: at(.2)})
	both("type and its source", query.EventFilter{Type: "order.placed.v1", Source: "/millrace/order"})
	both("type and another's source: nothing", query.EventFilter{Type: "order.placed.v1", Source: "/clients/a"})
	both("key and type", query.EventFilter{Key: "key-17", Type: "user.created.v1"})
	both("key of a tenth and rare type", query.EventFilter{Key: dataset.HotKey, Type: dataset.RareType})
	both("key of a tenth, before a tenth", query.EventFilter{Key: dataset.HotKey, Before: at(.1)})
	both("correlation_id and type", query.EventFilter{CorrelationID: "request-4000", Type: "user.created.v1"})
	return cases
}

// poisonFilters are filters of a poison queue of n messages. The pages of each are spread over it.
func poisonFilters(store *eventsql.Store, n int) []filterCase {
	at := func(share float64) *time.Time {
		return new(dataset.Begin.Add(time.Duration(share*float64(n)) * time.Second))
	}
	var cases []filterCase
	add := func(name string, f query.PoisonFilter) {
		cases = append(cases, filterCase{"poison: " + name, func(ctx context.Context, sample int) (int, error) {
			var behind *query.PoisonCursor
			if sample > 0 {
				number := int64(sample) * int64(n) / filterSamples
				behind = &query.PoisonCursor{FailedAt: dataset.Begin.Add(time.Duration(number) * time.Second), Number: number}
			}
			poison, _, err := store.Poison(ctx, f, behind, 50)
			return len(poison), err
		}})
	}
	add("no filter", query.PoisonFilter{})
	add("status open, a hundredth", query.PoisonFilter{Status: event.StatusOpen})
	add("status resolved, none", query.PoisonFilter{Status: event.StatusResolved})
	add("consumer, half", query.PoisonFilter{Consumer: "order-customers"})
	add("consumer, the oldest 3 alone", query.PoisonFilter{Consumer: dataset.RareConsumer})
	add("type, a third", query.PoisonFilter{Type: "user.created.v1"})
	add("type, the oldest 3 alone", query.PoisonFilter{Type: dataset.RarePoisonType})
	add("fingerprint", query.PoisonFilter{Fingerprint: "f7"})
	add("key", query.PoisonFilter{Key: "key-17"})
	add("after and before, a hundredth", query.PoisonFilter{After: at(.4), Before: at(.41)})
	add("consumer, half, and status open", query.PoisonFilter{Consumer: "event-history", Status: event.StatusOpen})
	add("consumer, half, and status resolved: nothing", query.PoisonFilter{Consumer: "event-history", Status: event.StatusResolved})
	add("consumer, half, and rare type", query.PoisonFilter{Consumer: "event-history", Type: dataset.RarePoisonType})
	add("type, a third, status open, before half", query.PoisonFilter{Type: "user.created.v1", Status: event.StatusOpen, Before: at(.5)})
	return cases
}
