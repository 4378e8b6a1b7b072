package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNATSConfIsMadeFromTheDescriptions(t *testing.T) {
	t.Parallel()
	var made bytes.Buffer
	require.NoError(t, write(&made))
	committed, err := os.ReadFile("../nats.conf")
	require.NoError(t, err)
	require.Equal(t, made.String(), string(committed), "make nats-conf")
}
