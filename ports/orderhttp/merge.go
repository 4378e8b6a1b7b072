package orderhttp

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// merge is a field of a merge: absent, null, or a value. Only a type of our own can tell the first two apart.
type merge[T any] struct {
	sent  bool
	null  bool
	value T
}

// UnmarshalJSON is called for a field that is there, also for null.
func (m *merge[T]) UnmarshalJSON(data []byte) error {
	m.sent, m.null = true, string(data) == "null"
	if m.null {
		return nil
	}
	return json.Unmarshal(data, &m.value)
}

// Schema implements huma.SchemaProvider: the field looks like its value.
func (merge[T]) Schema(r huma.Registry) *huma.Schema {
	schema := *r.Schema(reflect.TypeFor[T](), true, "")
	return &schema
}
