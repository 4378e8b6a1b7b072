package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedianDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2.0, median([]float64{3, 1, 2}), 0)
	require.InDelta(t, 2.0, median([]float64{4, 1, 3, 2}), 0)
	require.Zero(t, median(nil))
}

func TestPercentileIsTheShortestDurationThatCoversItsShare(t *testing.T) {
	t.Parallel()
	var durations []time.Duration
	for i := 100; i >= 1; i-- {
		durations = append(durations, time.Duration(i))
	}
	require.EqualValues(t, 50, percentile(durations, 50))
	require.EqualValues(t, 99, percentile(durations, 99))
	require.EqualValues(t, 100, percentile(durations, 100))
	require.EqualValues(t, 7, percentile([]time.Duration{7}, 50))
	require.Zero(t, percentile(nil, 50))
}
