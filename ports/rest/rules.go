package rest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// rules are a schema in the form that a body is checked by while it is read.
type rules struct {
	schema *huma.Schema  // by which huma checks a value that is neither object nor array
	kind   jsontext.Kind // object, array, number where it must be whole, string for any other, invalid where everything is taken
	null   bool          // null is taken as well

	fields       map[string]*fieldRules
	named        []*fieldRules // fields by name
	others       *rules        // of members that are none of fields; nil where there may be none
	fewest, most int           // members or elements; most is -1 where there may be any number
	items        *rules
	bits         int // of a whole number
}

// fieldRules are those of one member of an object.
type fieldRules struct {
	*rules

	name     string
	bit      uint64 // among those of its object
	required bool
}

// maxFields is how many named members an object of a body may have: one bit each.
const maxFields = 64

// compile makes the rules of op, which is registered. It panics, as huma does, where op takes what cannot be checked.
func (s *bodyStep) compile(api huma.API, op huma.Operation) {
	if op.RequestBody == nil {
		return
	}
	media := op.RequestBody.Content["application/json"]
	if media == nil || media.Schema == nil {
		return
	}
	c := compiler{registry: api.OpenAPI().Components.Schemas, operation: op.OperationID, known: map[string]*rules{}}
	s.rules = c.rules(media.Schema)
}

type compiler struct {
	registry  huma.Registry
	operation string
	known     map[string]*rules // by reference; a type may hold itself
}

func (c compiler) rules(s *huma.Schema) *rules {
	if s.Ref == "" {
		return c.fill(new(rules), s)
	}
	r, ok := c.known[s.Ref]
	if !ok {
		r = new(rules)
		c.known[s.Ref] = r
		target := s
		for target.Ref != "" {
			target = c.registry.SchemaFromRef(target.Ref)
		}
		c.fill(r, target)
	}
	return r
}

func (c compiler) fill(r *rules, s *huma.Schema) *rules {
	c.refuse(s)
	r.schema, r.null, r.most = s, s.Nullable, -1
	switch s.Type {
	case "":
	case huma.TypeObject:
		r.kind = jsontext.KindBeginObject
		c.object(r, s)
	case huma.TypeArray:
		r.kind = jsontext.KindBeginArray
		r.fewest, r.most = bound(s.MinItems, 0), bound(s.MaxItems, -1)
		r.items = c.rules(cmp.Or(s.Items, &huma.Schema{}))
	case huma.TypeInteger:
		r.kind, r.bits = jsontext.KindNumber, 64
		if s.Format == "int32" {
			r.bits = 32
		}
	default:
		r.kind = jsontext.KindString
	}
	return r
}

func (c compiler) object(r *rules, s *huma.Schema) {
	r.fewest, r.most = bound(s.MinProperties, 0), bound(s.MaxProperties, -1)
	r.fields = map[string]*fieldRules{}
	for name, property := range s.Properties {
		r.fields[name] = &fieldRules{
			rules: c.rules(property), name: name, required: slices.Contains(s.Required, name) && !property.ReadOnly,
		}
		r.named = append(r.named, r.fields[name])
	}
	slices.SortFunc(r.named, func(a, b *fieldRules) int { return cmp.Compare(a.name, b.name) })
	for i, f := range r.named {
		f.bit = 1 << i
	}
	switch other := s.AdditionalProperties.(type) {
	case nil:
		r.others = c.rules(&huma.Schema{})
	case bool:
		if other {
			r.others = c.rules(&huma.Schema{})
		}
	case *huma.Schema:
		r.others = c.rules(other)
	}
}

// refuse panics where s has a rule that check does not know: it would not be kept.
func (c compiler) refuse(s *huma.Schema) {
	for what, there := range map[string]bool{
		"oneOf": len(s.OneOf) > 0, "anyOf": len(s.AnyOf) > 0, "allOf": len(s.AllOf) > 0, "not": s.Not != nil, "uniqueItems": s.UniqueItems,
		"dependentRequired": len(s.DependentRequired) > 0, fmt.Sprintf("more than %d properties", maxFields): len(s.Properties) > maxFields,
	} {
		if there {
			panic(fmt.Sprintf("the body of operation %s has a schema with %s, which ports/rest does not check", c.operation, what))
		}
	}
}

func bound(given *int, otherwise int) int {
	if given == nil {
		return otherwise
	}
	return *given
}
