// Package asyncapi describes what Millrace publishes as an AsyncAPI 3 document, made from the types of app/contract.
package asyncapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

type object = map[string]any

const about = "The events of Millrace on NATS JetStream: CloudEvents 1.0 in binary mode, attributes as headers, data as the payload. " +
	"An event reaches every interested consumer at least once, in order per `ce-partitionkey`; `ce-sequence` numbers the events of a " +
	"key without a gap. Published types only ever gain optional fields: pass over those that you do not know."

// Described is what the document is about.
type Described struct {
	Version   string // of what is described
	Events    []contract.Publication
	Consumers []string // that may give a message up, and get it back
}

// Document returns the document as JSON, the same at every call.
func Document(of Described) ([]byte, error) {
	schemas := newSchemas()
	d := object{
		"asyncapi":           "3.0.0",
		"id":                 "urn:millrace:events",
		"info":               info(of.Version),
		"defaultContentType": "application/json",
	}
	channels, operations, messages := object{}, object{}, object{}
	for _, e := range of.Events {
		name := e.Example.Type()
		messages[name] = describe(e, schemas)
		channels[name] = object{
			"address": envelope.Topic(name), "title": name, "description": e.Summary,
			"messages": object{name: reference("components/messages", name)},
		}
		operations["publish-"+name] = object{"action": "send", "channel": reference("channels", name), "summary": e.Summary}
	}
	for name, way := range sideways {
		messages[name] = object{
			"name": name, "title": way.title, "summary": way.says, "contentType": "application/json",
			"correlationId": reference("components/correlationIds", "request"), "headers": reference("components/schemas", way.headers),
			"payload":  object{"description": "The payload of the event, byte for byte; what could not be decoded is no JSON."},
			"examples": []object{{"headers": way.example(), "payload": someUserCreated()}},
		}
		channels[name] = object{
			"address": way.address, "title": way.title, "description": way.says, "messages": object{name: reference("components/messages", name)},
			"parameters": object{"consumer": object{
				"description": "The durable consumer that gave up", "enum": of.Consumers,
			}},
		}
		operations[way.action+"-"+name] = object{"action": way.action, "channel": reference("channels", name), "summary": way.says}
	}
	d["channels"], d["operations"] = channels, operations
	d["components"] = object{
		"messages": messages, "schemas": schemas.all(),
		"correlationIds": object{"request": object{
			"description": "Of the request that began it all", "location": "$message.header#/" + envelope.MetaCorrelation,
		}},
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the AsyncAPI document: %w", err)
	}
	return data, nil
}

func info(version string) object {
	return object{
		"title": "Millrace", "version": version, "description": about,
		"license": object{"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"},
	}
}

func reference(place, name string) object { return object{"$ref": "#/" + place + "/" + name} }

// describe describes an event with its own type and source.
func describe(e contract.Publication, schemas schemas) object {
	name := e.Example.Type()
	service, _, _ := strings.Cut(name, ".")
	source := "/millrace/" + service
	return object{
		"name": name, "title": name, "summary": e.Summary, "contentType": "application/json",
		"correlationId": reference("components/correlationIds", "request"),
		"headers": object{"allOf": []any{
			reference("components/schemas", "EventHeaders"),
			object{"type": "object", "properties": object{
				envelope.MetaType: object{"const": name}, envelope.MetaSource: object{"const": source},
			}},
		}},
		"payload":  schemas.payload(e.Example),
		"examples": []object{{"name": name, "headers": someHeaders(name, source, e.Example.Key()), "payload": e.Example}},
	}
}

// someHeaders are those of an example.
func someHeaders(eventType, source, key string) map[string]string {
	return envelope.Envelope{
		ID: "0195a1f3-2b1d-7a00-b111-5d2c7e9f0a02", Type: eventType, Source: source, Key: key, Sequence: 3,
		Time:          time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
		CorrelationID: "request-1",
	}.Metadata()
}

// someUserCreated is the event of the examples of what was given up.
func someUserCreated() contract.Event { return contract.UserEvents()[0].Example }

// sideway is where messages go that a consumer gave up, or back to it.
type sideway struct {
	title, says, address, action, headers string
	more                                  map[string]string // headers of the example
}

func (w sideway) example() map[string]string {
	headers := someHeaders(contract.TypeUserCreated, contract.SourceUser, someUserCreated().Key())
	maps.Copy(headers, w.more)
	return headers
}

var sideways = map[string]sideway{
	"poison": {
		title: "A message that a consumer gave up", address: envelope.PoisonTopic("{consumer}"), action: "send", headers: "PoisonHeaders",
		says: "What a consumer gave up, with the reason. The event service keeps it until somebody decides.",
		more: map[string]string{
			"millrace-poison-id": "5d1f6a57-6c1b-5c56-9d0d-2f8f3c1f7f10", "millrace-poison-consumer": "order-customers",
			"millrace-poison-subject": envelope.Topic(contract.TypeUserCreated), "millrace-poison-reason": "The event cannot be decoded.",
			"millrace-poison-attempts": "1", "millrace-poison-first": "2026-03-01T12:30:01Z", "millrace-poison-last": "2026-03-01T12:30:01Z",
		},
	},
	"requeue": {
		title: "A message that goes back", address: envelope.RequeueTopic("{consumer}"), action: "receive", headers: "RequeueHeaders",
		says: "What somebody sends back to the one consumer that gave it up, under its own event ID; no other consumer reads it.",
		more: map[string]string{
			"millrace-round": "1", "millrace-requeue-of": "5d1f6a57-6c1b-5c56-9d0d-2f8f3c1f7f10",
			"millrace-signature": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
		},
	},
}

// schemas are the named schemas of the document.
type schemas struct{ huma.Registry }
