package rest

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/fault"
)

// Optional is a field of a body that is merged: absent, null, or a value. Tag it omitempty, so that it is not required, and
// nullable:"true" where null clears it.
type Optional[T any] struct {
	Given bool // it was there, be it null
	Null  bool
	Value T
}

// UnmarshalJSON implements json.Unmarshaler; it is called only for a field that is there.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	o.Given = true
	if string(data) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(data, &o.Value)
}

// MarshalJSON implements json.Marshaler.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.Given || o.Null {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// Schema implements huma.SchemaProvider: that of a T.
func (Optional[T]) Schema(registry huma.Registry) *huma.Schema {
	t := reflect.TypeFor[T]()
	s := registry.Schema(t, true, t.Name())
	if s.Ref != "" {
		return s
	}
	own := *s
	own.Nullable = false
	own.PrecomputeMessages()
	return &own
}

// Required gives the value for a thing that cannot be cleared: nil where the field is absent, and a fault of kind Invalid
// that names location where it is null.
func (o Optional[T]) Required(location string) (*T, error) {
	switch {
	case !o.Given:
		return nil, nil
	case o.Null:
		return nil, fault.NewInvalid(fault.Field{Location: location, Message: "cannot be null"})
	}
	return &o.Value, nil
}
