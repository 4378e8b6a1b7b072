package rest

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const schemaPrefix = "#/components/schemas/"

// openAnswers opens the schemas of what is only answered, since answers may gain fields, and clients must ignore those they do not know.
// The schemas of requests stay closed: unknown fields of a request are refused.
func openAnswers(document *huma.OpenAPI) {
	taken := map[string]bool{}
	for op := range operations(document) {
		if op.RequestBody == nil {
			continue
		}
		for _, media := range op.RequestBody.Content {
			reach(document, media.Schema, taken)
		}
	}
	for name, schema := range document.Components.Schemas.Map() {
		if !taken[name] {
			open(schema)
		}
	}
}

// reach marks the named schemas that s refers to, and those that they refer to.
func reach(document *huma.OpenAPI, s *huma.Schema, marked map[string]bool) {
	if s == nil {
		return
	}
	if name, ok := strings.CutPrefix(s.Ref, schemaPrefix); ok && !marked[name] {
		marked[name] = true
		reach(document, document.Components.Schemas.SchemaFromRef(s.Ref), marked)
	}
	reach(document, s.Items, marked)
	for _, property := range s.Properties {
		reach(document, property, marked)
	}
}

func open(s *huma.Schema) {
	if s == nil {
		return
	}
	if closed, ok := s.AdditionalProperties.(bool); ok && !closed {
		s.AdditionalProperties = nil
	}
	open(s.Items)
	for _, property := range s.Properties {
		open(property)
	}
}
