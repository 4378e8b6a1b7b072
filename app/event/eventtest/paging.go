package eventtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
)

// pages follows the list to its end and gives each page.
func pages(t *testing.T, b Bench, q query.Events) (all [][]event.Record) {
	t.Helper()
	h := query.NewEventsHandler(b.Store)
	for {
		page, err := h.Handle(t.Context(), q)
		require.NoError(t, err)
		all = append(all, page.Items)
		if page.Next == 0 {
			return all
		}
		q.Page.Behind = page.Next
	}
}

func pagedHistory(t *testing.T, b Bench) {
	key := uuid.New()
	for n := range 10 {
		record(t, b, order(key, n+1))
	}
	assign(t, b)
	for _, limit := range []int{1, 3, 5, 10, 11} {
		for _, ascending := range []bool{true, false} {
			all := pages(t, b, query.Events{Page: query.Page{Ascending: ascending, Limit: limit}})
			require.Len(t, all, (10+limit-1)/limit, "no empty page at the end")
			got := positions(slices.Concat(all...))
			want := upTo(10)
			if !ascending {
				slices.Reverse(want)
			}
			require.Equal(t, want, got)
		}
	}
}

func filteredHistory(t *testing.T, b Bench) {
	one, other := uuid.New(), uuid.New()
	for n := 1; n <= 3; n++ {
		record(t, b, order(one, n))
	}
	odd := order(other, 1)
	odd.Metadata[envelope.MetaTime] = begin.Add(4 * time.Second).Format(time.RFC3339Nano)
	odd.Subject = "events.invoice.sent.v1"
	odd.Metadata[envelope.MetaType], odd.Metadata[envelope.MetaSource] = "invoice.sent.v1", "/elsewhere"
	record(t, b, odd)
	assign(t, b)
	for name, c := range map[string]struct {
		filter query.EventFilter
		want   []int64
	}{
		"none":                 {query.EventFilter{}, []int64{1, 2, 3, 4}},
		"type":                 {query.EventFilter{Type: "invoice.sent.v1"}, []int64{4}},
		"key":                  {query.EventFilter{Key: one.String()}, []int64{1, 2, 3}},
		"correlation":          {query.EventFilter{CorrelationID: "corr-" + other.String()}, []int64{4}},
		"source":               {query.EventFilter{Source: contract.SourceOrder}, []int64{1, 2, 3}},
		"after":                {query.EventFilter{After: new(begin.Add(2 * time.Second))}, []int64{2, 3, 4}},
		"before":               {query.EventFilter{Before: new(begin.Add(2 * time.Second))}, []int64{1}},
		"before the zero time": {query.EventFilter{Before: new(time.Time{})}, nil},
		"between": {
			query.EventFilter{After: new(begin.Add(2 * time.Second)), Before: new(begin.Add(4 * time.Second))}, []int64{2, 3},
		},
		"all together": {
			query.EventFilter{Type: contract.TypeOrderPlaced, Key: one.String(), After: new(begin.Add(3 * time.Second))}, []int64{3},
		},
		"nothing fits":   {query.EventFilter{Type: "invoice.sent.v1", Key: one.String()}, nil},
		"case is a case": {query.EventFilter{Type: "ORDER.PLACED.V1"}, nil},
	} {
		for _, limit := range []int{1, 50} {
			got := positions(slices.Concat(pages(t, b, query.Events{Filter: c.filter, Page: query.Page{Ascending: true, Limit: limit}})...))
			require.ElementsMatch(t, c.want, got, name)
			require.True(t, slices.IsSorted(got), name)
		}
	}
}

// windows lists windows of time of a history in which positions and times do not grow alike: every 300th event happened long ago, every
// 700th will happen only later.
func windows(t *testing.T, b Bench) {
	const n = 2300
	source := []string{contract.SourceOrder, "/elsewhere"}
	require.NoError(t, b.Store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		for i := range n {
			r := event.NewRecord(order(uuid.New(), 1), begin)
			r.Time, r.Source = begin.Add(time.Duration(i)*time.Second), source[i%2]
			switch {
			case i%300 == 7:
				r.Time = begin.Add(-time.Hour)
			case i%700 == 9:
				r.Time = begin.Add(time.Hour)
			}
			if i < 5 {
				r.Type = "rare.thing.v1"
			}
			if err := tx.Record(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}))
	assign(t, b)
	all := slices.Concat(pages(t, b, query.Events{Page: query.Page{Ascending: true, Limit: 200}})...)
	require.Equal(t, upTo(n), positions(all))
	at := func(s int) *time.Time { return new(begin.Add(time.Duration(s) * time.Second)) }
	for _, f := range []query.EventFilter{
		{After: at(0), Before: at(10)}, {After: at(995), Before: at(1005)}, {After: at(1999), Before: at(2000)}, {Before: at(3)},
		{After: at(2290)},
		{Before: at(-1)}, {After: at(n)}, {After: at(n), Before: at(n + 1)}, {After: at(-7200), Before: at(-7000)}, {After: at(5), Before: at(5)},
		{Type: "rare.thing.v1", Before: at(3)}, {Type: "rare.thing.v1", After: at(100)}, {Source: "/elsewhere", Before: at(1500), After: at(400)},
		{Source: "/elsewhere", Type: "rare.thing.v1"}, {Source: "/nowhere", After: at(0)}, {Source: "/elsewhere", Type: contract.TypeOrderPlaced},
	} {
		want := []int64{}
		for _, r := range all {
			if matches(f, r) {
				want = append(want, r.Position)
			}
		}
		for _, limit := range []int{7, 200} {
			name := fmt.Sprintf("%+v, %d", f, limit)
			up := positions(slices.Concat(pages(t, b, query.Events{Filter: f, Page: query.Page{Ascending: true, Limit: limit}})...))
			require.Equal(t, want, up, name)
			down := positions(slices.Concat(pages(t, b, query.Events{Filter: f, Page: query.Page{Limit: limit}})...))
			slices.Reverse(down)
			require.Equal(t, want, down, name)
		}
	}
}

func matches(f query.EventFilter, r event.Record) bool {
	return (f.Type == "" || f.Type == r.Type) && (f.Source == "" || f.Source == r.Source) &&
		(f.After == nil || !r.Time.Before(*f.After)) && (f.Before == nil || r.Time.Before(*f.Before))
}

func heavyPage(t *testing.T, b Bench) {
	for n := range 5 {
		m := order(uuid.New(), 1)
		m.Data = bytes.Repeat([]byte{byte(n)}, 3<<20)
		record(t, b, m)
	}
	assign(t, b)
	all := pages(t, b, query.Events{Page: query.Page{Ascending: true, Limit: 200}})
	require.Equal(t, 5, len(all)) // Len would print the megabytes
	require.Equal(t, upTo(5), positions(slices.Concat(all...)))
}

func pagedPoison(t *testing.T, b Bench) {
	for n := range 5 {
		p := poisoned(uuid.NewString(), "event-history", 0)
		p.GivenUp.Last = begin.Add(time.Duration(n) * time.Minute)
		store(t, b, p)
	}
	other := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, other)
	kept, err := b.Store.PoisonMessage(t.Context(), uuid.MustParse(other.GivenUp.ID))
	require.NoError(t, err)
	require.NoError(t, requeue(t, b, uuid.MustParse(other.GivenUp.ID)))

	for name, c := range map[string]struct {
		filter query.PoisonFilter
		want   int
	}{
		"none":                 {query.PoisonFilter{}, 6},
		"open":                 {query.PoisonFilter{Status: event.StatusOpen}, 5},
		"requeued":             {query.PoisonFilter{Status: event.StatusRequeued}, 1},
		"discarded":            {query.PoisonFilter{Status: event.StatusDiscarded}, 0},
		"consumer":             {query.PoisonFilter{Consumer: "event-history"}, 5},
		"type":                 {query.PoisonFilter{Type: contract.TypeUserCreated}, 6},
		"key":                  {query.PoisonFilter{Key: kept.Key}, 1},
		"fingerprint":          {query.PoisonFilter{Fingerprint: kept.Fingerprint}, 1},
		"after":                {query.PoisonFilter{Consumer: "event-history", After: new(begin.Add(3 * time.Minute))}, 2},
		"before the zero time": {query.PoisonFilter{Consumer: "event-history", Before: new(time.Time{})}, 0},
		"before":               {query.PoisonFilter{Consumer: "event-history", Before: new(begin.Add(3 * time.Minute))}, 3},
		"several": {query.PoisonFilter{
			Consumer: "event-history", Status: event.StatusOpen, Type: contract.TypeUserCreated, After: &begin,
			Before: new(begin.Add(3 * time.Minute)),
		}, 3},
	} {
		h := query.NewPoisonHandler(b.Store)
		var got []event.Poison
		q := query.Poison{Filter: c.filter, Limit: 2}
		for {
			page, err := h.Handle(t.Context(), q)
			require.NoError(t, err, name)
			for _, p := range page.Items {
				require.NotEmpty(t, p.Metadata, name)
			}
			got = append(got, page.Items...)
			if page.Next == nil {
				break
			}
			q.Behind = page.Next
		}
		require.Len(t, got, c.want, name)
		require.True(t, slices.IsSortedFunc(got, func(a, b event.Poison) int {
			return cmp.Or(b.LastFailedAt.Compare(a.LastFailedAt), cmp.Compare(b.Number, a.Number))
		}), "newest failure first: %s", name)
	}
}

func notFound(t *testing.T, b Bench) {
	_, err := b.Store.Event(t.Context(), uuid.New())
	require.ErrorIs(t, err, event.ErrNotFound)
	_, err = b.Store.PoisonMessage(t.Context(), uuid.New())
	require.ErrorIs(t, err, event.ErrPoisonNotFound)
	require.ErrorIs(t, requeue(t, b, uuid.New()), event.ErrPoisonNotFound)
}
