package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedianIsTheMiddleWhateverTheOrder(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2.0, median([]float64{3, 1, 2}), 0)
	require.InDelta(t, 2.0, median([]float64{4, 1, 3, 2}), 0)
	require.Zero(t, median(nil))
}

func TestPercentileIsNotExceededByItsShare(t *testing.T) {
	t.Parallel()
	var d []time.Duration
	for i := 100; i >= 1; i-- {
		d = append(d, time.Duration(i))
	}
	require.EqualValues(t, 50, percentile(d, 50))
	require.EqualValues(t, 99, percentile(d, 99))
	require.EqualValues(t, 100, percentile(d, 100))
	require.EqualValues(t, 7, percentile([]time.Duration{7}, 50))
	require.Zero(t, percentile(nil, 50))
}
