package asyncapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/asyncapi"
)

// words are for people: they may change.
var words = []string{"description", "summary", "title", "examples", "version"}

// lost names everything of before that now lacks, or has otherwise. What is new is no loss: types gain optional fields, and a reader
// passes over those that it does not know.
func lost(place string, before, now any) (gone []string) {
	switch old := before.(type) {
	case map[string]any:
		current, _ := now.(map[string]any)
		for key, value := range old {
			if slices.Contains(words, key) && reflect.TypeOf(value).Kind() != reflect.Map {
				continue
			}
			gone = append(gone, lost(place+"/"+key, value, current[key])...)
		}
	case []any:
		current, _ := now.([]any)
		for i, value := range old {
			if !slices.ContainsFunc(current, func(c any) bool { return len(lost("", value, c)) == 0 }) {
				gone = append(gone, fmt.Sprintf("%s/%d", place, i))
			}
		}
	default:
		if before != now {
			gone = append(gone, place)
		}
	}
	return gone
}

func tree(t *testing.T, data []byte) (v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, &v))
	return v
}

// docs/api/released changes with a release alone; what readers know from there must stay.
func TestNothingReleasedIsLost(t *testing.T) {
	t.Parallel()
	released, err := os.ReadFile("../../docs/api/released/asyncapi.json")
	require.NoError(t, err)
	now, err := asyncapi.Document(described())
	require.NoError(t, err)
	require.Empty(t, lost("", tree(t, released), tree(t, now)))
}

func TestLossesAreSeen(t *testing.T) {
	t.Parallel()
	before, err := asyncapi.Document(described())
	require.NoError(t, err)
	for name, change := range map[string][2]string{
		"a field is renamed":      {`"total":{`, `"sum":{`},
		"a field is not required": {`"role","version"`, `"version"`},
		"a type changes":          {`"type":"array"`, `"type":"string"`},
		"an address changes":      {`events.order.placed.v1`, `events.order.placed.v2`},
		"a channel goes":          {`"requeue":{"address"`, `"requeued":{"address"`},
	} {
		require.Contains(t, string(before), change[0], name)
		after := strings.ReplaceAll(string(before), change[0], change[1])
		require.NotEmpty(t, lost("", tree(t, before), tree(t, []byte(after))), name)
	}
	grown := strings.ReplaceAll(string(before), `"properties":{`, `"properties":{"new":{"type":"string"},`)
	require.Empty(t, lost("", tree(t, before), tree(t, []byte(grown))), "a new field is none")
}
