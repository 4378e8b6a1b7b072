package rest

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// OptionalTime is a time in a query that may be absent. Every time can be asked for, also the zero one.
type OptionalTime struct {
	Value time.Time
	Given bool
}

// Receiver implements huma.ParamWrapper.
func (o *OptionalTime) Receiver() reflect.Value { return reflect.ValueOf(&o.Value).Elem() }

// OnParamSet implements huma.ParamReactor.
func (o *OptionalTime) OnParamSet(given bool, _ any) { o.Given = given }

// Schema implements huma.SchemaProvider: that of a time.
func (OptionalTime) Schema(registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[time.Time](), true, "")
}

// Pointer returns the time, nil where none was given.
func (o OptionalTime) Pointer() *time.Time {
	if !o.Given {
		return nil
	}
	return &o.Value
}
