package asyncapi

import (
	"maps"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

func newSchemas() schemas {
	return schemas{huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}
}

// payload registers the schema of an event's data.
func (s schemas) payload(e contract.Event) *huma.Schema {
	return s.Schema(reflect.TypeOf(e), true, "")
}

// all gives the schemas, those of headers too. Go's types say names and kinds; what a reader may rely on beyond that is added here.
func (s schemas) all() object {
	all := object{"EventHeaders": headers(attributes), "PoisonHeaders": headers(poison), "RequeueHeaders": headers(requeue)}
	for name, schema := range s.Map() {
		schema.AdditionalProperties = nil // types gain fields
		for field, property := range schema.Properties {
			if rule, ok := fields[field]; ok {
				rule(property)
			}
		}
		all[name] = schema
	}
	return all
}

var fields = map[string]func(*huma.Schema){
	"id":         func(s *huma.Schema) { s.Format, s.Description = "uuid", "The aggregate's ID, which is the key too" },
	"user_id":    func(s *huma.Schema) { s.Format, s.Description = "uuid", "Whose order it is" },
	"role":       func(s *huma.Schema) { s.Description = "user, publisher, operator or admin" },
	"status":     func(s *huma.Schema) { s.Description = "placed or cancelled" },
	"items":      func(s *huma.Schema) { s.Nullable = false },
	"quantity":   func(s *huma.Schema) { s.Minimum = new(1.0) },
	"unit_price": func(s *huma.Schema) { s.Minimum, s.Description = new(0.0), "In minor units of the order's currency" },
	"total": func(s *huma.Schema) {
		s.Minimum, s.Description = new(0.0), "The sum of the items, in minor units of the currency"
	},
	"currency":     func(s *huma.Schema) { s.Description = "ISO 4217" },
	"version":      func(s *huma.Schema) { s.Minimum, s.Description = new(1.0), "Grows with each change" },
	"cancelled_at": func(s *huma.Schema) { s.Nullable, s.Description = false, "Once cancelled" },
	"reason": func(s *huma.Schema) {
		s.Description = "By whose doing, as a code: " + contract.ReasonCustomer + ", " + contract.ReasonAdmin + ", or " +
			contract.ReasonUserDeleted + " where the account of its user was deleted. More may come. What a person wrote is not published."
	},
}

// header is one header of a message.
type header struct {
	name, says string
	optional   bool
	schema     object
}

var attributes = []header{
	{name: envelope.MetaSpecVersion, says: "CloudEvents", schema: object{"const": "1.0"}},
	{name: envelope.MetaID, says: "The event's ID, the same for ever: a repeat has it too", schema: object{"format": "uuid"}},
	{name: envelope.MetaType, says: "The event's type and version"},
	{name: envelope.MetaSource, says: "Who published it"},
	{name: envelope.MetaTime, says: "When it happened", schema: object{"format": "date-time"}},
	{name: envelope.MetaSubject, says: "The aggregate's ID"},
	{name: envelope.MetaPartitionKey, says: "The aggregate's ID: the events of one key are in order"},
	{
		name: envelope.MetaSequence, says: "The event's number among those of its key, from 1 and without a gap, padded to 20 digits",
		optional: true, schema: object{"pattern": "^[0-9]{20}$"},
	},
	{name: envelope.MetaCorrelation, says: "Of the request that began it all", optional: true},
	{name: envelope.MetaCausation, says: "The ID of the event that caused it", optional: true},
	{name: envelope.MetaTraceparent, says: "W3C trace context", optional: true},
}

// poison are beside those of an event, of which a foreign publisher may have left some out.
var poison = []header{
	{name: "millrace-poison-id", says: "Of the poison message", schema: object{"format": "uuid"}},
	{name: "millrace-poison-consumer", says: "Who gave up"},
	{name: "millrace-poison-subject", says: "Where the message had come from"},
	{name: "millrace-poison-reason", says: "The last error, one line"},
	{name: "millrace-poison-stack", says: "Of a panic", optional: true},
	{name: "millrace-poison-attempts", says: "How often it was tried", schema: object{"pattern": "^[0-9]+$"}},
	{name: "millrace-poison-first", says: "When it failed first", schema: object{"format": "date-time"}},
	{name: "millrace-poison-last", says: "When it failed last", schema: object{"format": "date-time"}},
	{name: "millrace-poison-omitted", says: "metadata, payload or both, where they were too large to go along", optional: true},
	requeue[0].maybe(),
}

var requeue = []header{
	{name: "millrace-round", says: "How often the message was sent back", schema: object{"pattern": "^[0-9]+$"}},
	{name: "millrace-requeue-of", says: "The poison message that was sent back", schema: object{"format": "uuid"}},
	{
		name:   "millrace-signature",
		says:   "Of the event service, over consumer, ID, headers and payload; a consumer gives up what is not signed",
		schema: object{"pattern": "^[A-Za-z0-9_-]{43}$"},
	},
}

func (h header) maybe() header {
	h.optional = true
	return h
}

func headers(of []header) object {
	properties, required := object{}, []string{}
	for _, h := range of {
		property := object{"type": "string", "description": h.says}
		maps.Copy(property, h.schema)
		properties[h.name] = property
		if !h.optional {
			required = append(required, h.name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}
