package event

import (
	"maps"
	"strings"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

// MetaMismatch marks a record whose metadata claims another type or source than its subject allows. It names the subject and the keys of
// the claims, which stay in the metadata.
const MetaMismatch = "millrace-mismatch"

// reserved are the sources of the subjects that our own services speak on, by the first token of the type.
var reserved = map[string]string{"user": contract.SourceUser, "order": contract.SourceOrder}

// underSubject gives e the type and source that the subject of m allows. The broker lets each service publish on its own subjects only,
// but metadata is whatever the publisher wrote. If it were believed, one service could speak for another, and take the place of an event
// that is still to come.
func underSubject(e envelope.Envelope, m Message) (envelope.Envelope, map[string]string) {
	t, ok := strings.CutPrefix(m.Subject, envelope.Topic(""))
	if !ok {
		return e, m.Metadata
	}
	var claims []string
	if e.Type != "" && e.Type != t {
		claims = append(claims, envelope.MetaType)
	}
	e.Type = t
	if source := sourceOf(t, e.Source); source != e.Source {
		e.Source, claims = source, append(claims, envelope.MetaSource)
	}
	if len(claims) == 0 {
		return e, m.Metadata
	}
	marked := maps.Clone(m.Metadata)
	marked[MetaMismatch] = m.Subject + ": " + strings.Join(claims, ", ")
	return e, marked
}

// sourceOf gives the source of an event of type t that claims one. An event of one of our own services' types has that service as its
// source, and no other event has; apart from that, a claim is believed.
func sourceOf(t, claimed string) string {
	first, _, _ := strings.Cut(t, ".")
	own, ours := reserved[first]
	switch {
	case ours && claimed != "":
		return own
	case !ours && (claimed == contract.SourceUser || claimed == contract.SourceOrder):
		return ""
	}
	return claimed
}
