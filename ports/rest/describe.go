package rest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/fault"
)

// Descriptions are what the OpenAPI document says of a service beyond the types of its operations.
type Descriptions struct {
	// Tags are the groups of operations, with what they are about.
	Tags map[string]string
	// Operations are described by their IDs.
	Operations map[string]Description
}

// Description is what the document says of one operation.
type Description struct {
	Text string // empty: what it was registered with
	// Problems are what it refuses with, beside what the edge refuses for all operations alike.
	Problems []*fault.Error
	// Request and Answer are examples of the bodies; nil where there is none.
	Request, Answer any
}

// Describe completes the documentation of what was registered on api before.
func Describe(api huma.API, of Descriptions) {
	document := api.OpenAPI()
	for _, name := range slices.Sorted(maps.Keys(of.Tags)) {
		document.Tags = append(document.Tags, &huma.Tag{Name: name, Description: of.Tags[name]})
	}
	for op := range operations(document) {
		if d, ok := of.Operations[op.OperationID]; ok {
			d.describe(document, op)
		}
	}
}

// operations goes over what a document describes, by path and method.
func operations(document *huma.OpenAPI) func(yield func(*huma.Operation) bool) {
	return func(yield func(*huma.Operation) bool) {
		for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
			item := document.Paths[path]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && !yield(op) {
					return
				}
			}
		}
	}
}

func (d Description) describe(document *huma.OpenAPI, op *huma.Operation) {
	op.Description = cmp.Or(d.Text, op.Description)
	if op.RequestBody != nil && d.Request != nil {
		exemplify(op.RequestBody.Content, d.Request)
	}
	for status, response := range op.Responses {
		if status[0] == '2' && d.Answer != nil {
			exemplify(response.Content, d.Answer)
		}
	}
	for _, problem := range d.Problems {
		fails(document, op, refusalOf(problem))
	}
}

func exemplify(content map[string]*huma.MediaType, example any) {
	for _, media := range content {
		media.Example = example
	}
}

func refusalOf(e *fault.Error) refusal {
	return refusal{status: statusOf(e.Kind), code: e.Code, detail: e.Message, fields: e.Fields, wait: e.RetryAfter}
}
