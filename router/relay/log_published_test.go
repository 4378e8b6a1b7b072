package relay

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/outbox"
)

func TestPublishedBatchIsLoggedWithItsCorrelationIDs(t *testing.T) {
	t.Parallel()
	b := &logBuffer{}
	log := slog.New(slog.NewTextHandler(b, nil))
	row := func(topic, correlationID string) ackedRow {
		return ackedRow{outbox.Published{Topic: topic}, correlationID}
	}
	logPublished(t.Context(), log, []ackedRow{
		row("events.order.placed.v1", "my-first-order"), row("poison.order-customers", "x"), row("events.order.cancelled.v1", "my-first-order"),
	})
	require.Contains(t, b.String(), `msg="events published" stream=events count=2 correlation_ids=my-first-order`)
	require.Contains(t, b.String(), `msg="events published" stream=poison count=1 correlation_ids=x`)

	var many []ackedRow
	for n := range 100 {
		many = append(many, row("events.order.placed.v1", fmt.Sprintf("id-%d", n)))
	}
	logPublished(t.Context(), log, many)
	require.Contains(t, b.String(), "stream=events count=100 first_correlation_id=id-0 last_correlation_id=id-99")
}
