package compose

import (
	"io/fs"
	"slices"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

// Description is all that is known of a service before it is built. Whatever lists services, events or consumers is made from the
// descriptions: settings, migrations, labels of metrics, the documents of API and events, rights at broker and database.
type Description struct {
	Name       string
	Summary    string // what it does at the broker, as a sentence
	Migrations fs.FS
	Paths      []string               // of its API, each with all that lies below
	Events     []contract.Publication // that the service publishes
	Consumers  []ConsumerDescription  // in the order in which they subscribe
	Publishes  []string               // subjects beside its events and what its consumers give up
	Expiring   []sqldb.Expiring       // tables of its own whose old rows are purged
}

// ConsumerDescription describes a durable consumer.
type ConsumerDescription struct {
	Name string // without dots; names the durable, the inbox and the entries of the poison queue, and never changes
	From string // the subjects that it reads: "events.user.>", all of an aggregate, so that it sees each sequence whole
	// NeverPoison is set for the keeper of the poison queue: it tries for ever, and nothing is ever requeued to it.
	NeverPoison bool
}

// Topics are those that the consumer subscribes to: what it reads, and what goes back to it.
func (c ConsumerDescription) Topics() []string {
	if c.NeverPoison {
		return []string{c.From}
	}
	return []string{c.From, envelope.RequeueTopic(c.Name)}
}

// services are all services, in the order in which they start.
var services = []Description{User, Order, Event}

// Services describes all services, in the order in which they start.
func Services() []Description { return slices.Clone(services) }

// ServiceNames are the names of all services, in the order in which they start.
func ServiceNames() (names []string) {
	for _, d := range services {
		names = append(names, d.Name)
	}
	return names
}

// Source is the source of the service's events.
func (d Description) Source() string { return "/millrace/" + d.Name }

// Streams are those that the service publishes to or reads.
func (d Description) Streams() []string {
	if len(d.Consumers) == 0 {
		return []string{natsjs.Events}
	}
	return []string{natsjs.Events, natsjs.Poison, natsjs.Requeue}
}

// publications are the events of all services.
func publications() (all []contract.Publication) {
	for _, d := range services {
		all = append(all, d.Events...)
	}
	return all
}

// eventTypes are the types of the events of all services.
func eventTypes() (types []string) {
	for _, p := range publications() {
		types = append(types, p.Example.Type())
	}
	return types
}

// poisoners are the consumers that may give a message up.
func poisoners() (names []string) {
	for _, d := range services {
		for _, c := range d.Consumers {
			if !c.NeverPoison {
				names = append(names, c.Name)
			}
		}
	}
	return names
}
