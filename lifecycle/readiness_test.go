package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/router/relay"
)

func TestReadinessBlamesTheDatabaseForWhatFailsThere(t *testing.T) {
	t.Parallel()
	err := describeTrouble(relay.DegradedReason{Err: errors.New("read the tail of poison: context deadline exceeded")}, 7*time.Second)
	e, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok)
	require.Equal(t, "outbox_fails", e.Code)
	require.Contains(t, e.Message, "7s")
	require.Contains(t, e.Message, "database")
	require.NotContains(t, e.Message, "disk")
	require.NotContains(t, e.Message, "deadline", "internal text is for the log")
}

func TestReadinessSaysWhyTheBrokerRefusesAStream(t *testing.T) {
	t.Parallel()
	refused := fault.New(fault.Unavailable, "broker_refused", "The broker refuses messages: maximum messages exceeded.").
		Because(errors.New("nats: API error"))
	err := describeTrouble(relay.DegradedReason{Stream: "events", Err: refused}, 3*time.Second)
	e, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok)
	require.Equal(t, "broker_refuses", e.Code)
	require.Contains(t, e.Message, "stream events")
	require.Contains(t, e.Message, "maximum messages exceeded")
	require.NotContains(t, e.Message, "API error")
}
