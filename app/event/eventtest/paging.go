package eventtest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
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
		"between":              {query.EventFilter{After: new(begin.Add(2 * time.Second)), Before: new(begin.Add(4 * time.Second))}, []int64{2, 3}},
		"all together":         {query.EventFilter{Type: contract.TypeOrderPlaced, Key: one.String(), After: new(begin.Add(3 * time.Second))}, []int64{3}},
		"nothing fits":         {query.EventFilter{Type: "invoice.sent.v1", Key: one.String()}, nil},
		"case is a case":       {query.EventFilter{Type: "ORDER.PLACED.V1"}, nil},
	} {
		for _, limit := range []int{1, 50} {
			got := positions(slices.Concat(pages(t, b, query.Events{Filter: c.filter, Page: query.Page{Ascending: true, Limit: limit}})...))
			require.ElementsMatch(t, c.want, got, name)
			require.True(t, slices.IsSorted(got), name)
		}
	}
}

func heavyPage(t *testing.T, b Bench) {
	for n := range 5 {
		m := order(uuid.New(), 1)
		m.Data = bytes.Repeat([]byte{byte(n)}, 3<<20)
		record(t, b, m)
	}
	assign(t, b)
	all := pages(t, b, query.Events{Page: query.Page{Ascending: true, Limit: 200}})
	require.Equal(t, 3, len(all)) // Len would print the megabytes
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
	} {
		h := query.NewPoisonHandler(b.Store)
		var numbers []int64
		q := query.Poison{Filter: c.filter, Page: query.Page{Limit: 2}}
		for {
			page, err := h.Handle(t.Context(), q)
			require.NoError(t, err, name)
			for _, p := range page.Items {
				require.NotEmpty(t, p.Metadata, name)
				numbers = append(numbers, -p.Number)
			}
			if page.Next == 0 {
				break
			}
			q.Page.Behind = page.Next
		}
		require.Len(t, numbers, c.want, name)
		require.True(t, slices.IsSorted(numbers), "newest first: %s", name)
	}
}

func notFound(t *testing.T, b Bench) {
	_, err := b.Store.Event(t.Context(), uuid.New())
	require.ErrorIs(t, err, event.ErrNotFound)
	_, err = b.Store.PoisonMessage(t.Context(), uuid.New())
	require.ErrorIs(t, err, event.ErrPoisonNotFound)
	require.ErrorIs(t, requeue(t, b, uuid.New()), event.ErrPoisonNotFound)
}
