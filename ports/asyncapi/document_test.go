package asyncapi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/ports/asyncapi"
)

type headers struct {
	Properties map[string]any `json:"properties"`
	Required   []string       `json:"required"`
}

type document struct {
	Channels map[string]struct {
		Address string `json:"address"`
	} `json:"channels"`
	Components struct {
		Messages map[string]struct {
			Examples []struct {
				Payload json.RawMessage `json:"payload"`
			} `json:"examples"`
		} `json:"messages"`
		Schemas map[string]headers `json:"schemas"`
	} `json:"components"`
}

func described() asyncapi.Described {
	return asyncapi.Described{
		Version: "1.0.0", Events: slices.Concat(contract.UserEvents(), contract.OrderEvents()),
		Consumers: []string{"order-customers", "event-history"},
	}
}

func setup(t *testing.T) (d document) {
	t.Helper()
	data, err := asyncapi.Document(described())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &d))
	return d
}

// A type that is published and not described would have a golden file and no channel.
func TestEveryGoldenFileIsAnExample(t *testing.T) {
	t.Parallel()
	d := setup(t)
	files, err := filepath.Glob("../../app/contract/testdata/*.v*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, variant, _ := strings.Cut(name, "-"); variant != "" {
			continue
		}
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, envelope.Topic(name), d.Channels[name].Address)
		require.Len(t, d.Components.Messages[name].Examples, 1, name)
		require.JSONEq(t, string(golden), string(d.Components.Messages[name].Examples[0].Payload), name)
	}
}

func TestHeadersAreThoseThatAreSent(t *testing.T) {
	t.Parallel()
	d := setup(t)
	sent := envelope.Envelope{
		ID: "i", Type: "t", Source: "s", Key: "k", Sequence: 1, CorrelationID: "c", CausationID: "d", Traceparent: "e",
	}.Metadata()
	require.Len(t, d.Components.Schemas["EventHeaders"].Properties, len(sent))
	for name := range sent {
		require.Contains(t, d.Components.Schemas["EventHeaders"].Properties, name)
	}
	for _, required := range d.Components.Schemas["EventHeaders"].Required {
		require.Contains(t, envelope.Envelope{ID: "i", Type: "t", Source: "s", Key: "k"}.Metadata(), required)
	}
	for _, name := range []string{
		envelope.MetaPoisonID, envelope.MetaPoisonConsumer, envelope.MetaPoisonSubject, envelope.MetaPoisonReason, envelope.MetaPoisonStack,
		envelope.MetaPoisonAttempts, envelope.MetaPoisonFirst, envelope.MetaPoisonLast, envelope.MetaPoisonOmitted, envelope.MetaRound,
	} {
		require.Contains(t, d.Components.Schemas["PoisonHeaders"].Properties, name)
	}
	require.Contains(t, d.Components.Schemas["RequeueHeaders"].Properties, envelope.MetaRound)
	require.Equal(t, "poison.{consumer}", d.Channels["poison"].Address)
	require.Equal(t, "requeue.{consumer}", d.Channels["requeue"].Address)
}

func TestDocumentIsTheSameAtEveryCall(t *testing.T) {
	t.Parallel()
	one, err := asyncapi.Document(described())
	require.NoError(t, err)
	two, err := asyncapi.Document(described())
	require.NoError(t, err)
	require.Equal(t, string(one), string(two))
}
