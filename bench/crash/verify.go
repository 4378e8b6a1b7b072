package main

import (
	"maps"
	"slices"
	"strings"
)

// verify holds what the system says against what its clients know.
func verify(e evidence, deeds map[string]deed) findings {
	v := verifier{evidence: e, deeds: deeds, byDeed: map[string][]fact{}, byKey: map[string][]fact{}}
	for _, f := range e.history {
		v.byDeed[f.correlation] = append(v.byDeed[f.correlation], f)
		v.byKey[f.key] = append(v.byKey[f.key], f)
	}
	v.checkDeeds()
	v.checkRefusals()
	v.checkEvents()
	for _, key := range slices.Sorted(maps.Keys(v.byKey)) {
		v.checkKey(key, slices.SortedStableFunc(slices.Values(v.byKey[key]), bySequence))
	}
	v.checkRows()
	v.checkEffects()
	v.checkPaths()
	return v.findings
}

// verifier is the evidence, ordered for questions.
type verifier struct {
	findings
	evidence

	deeds  map[string]deed
	byDeed map[string][]fact
	byKey  map[string][]fact
}

func bySequence(a, b fact) int { return int(a.sequence - b.sequence) }

// checkDeeds asks of each acknowledged request whether its events are there, with the version that was answered.
func (v *verifier) checkDeeds() {
	for _, id := range slices.Sorted(maps.Keys(v.deeds)) {
		d := v.deeds[id]
		if d.outcome != done {
			continue
		}
		for kind, needed := range causes[d.act] {
			i := slices.IndexFunc(v.byDeed[id], func(f fact) bool { return f.kind == kind && f.key == d.key })
			switch {
			case i < 0 && needed:
				v.addLost("%s of %s was acknowledged, and %s is not in the history", id, d.key, kind)
			case i >= 0 && needed && d.version != 0 && v.byDeed[id][i].data.Version != d.version:
				v.addLost("%s of %s was acknowledged as version %d, and its event says %d", id, d.key, d.version, v.byDeed[id][i].data.Version)
			}
		}
		if d.act == cancel && !slices.ContainsFunc(v.byKey[d.key], func(f fact) bool { return f.kind == "order.cancelled.v1" }) {
			v.addLost("%s of %s was acknowledged, and the history has no cancellation", id, d.key)
		}
	}
}

// checkEvents asks of each event which request explains it.
func (v *verifier) checkEvents() {
	seen := map[string]bool{}
	for _, f := range v.history {
		if f.key == v.admin && f.kind == "user.created.v1" {
			continue
		}
		d, known := v.deeds[f.correlation]
		_, allowed := causes[d.act][f.kind]
		foreign := d.key != "" && d.key != f.key && (d.act != leave || prefix(f.kind) != "order")
		switch {
		case !known:
			v.addPhantom("%s of %s carries %q, which nobody sent", f.kind, f.key, f.correlation)
		case d.outcome == refused:
			v.addPhantom("%s of %s comes from %s, which was refused (%d)", f.kind, f.key, d.id, d.status)
		case !allowed, foreign:
			v.addPhantom("%s of %s cannot come from %s of %s", f.kind, f.key, d.id, d.key)
		}
		effect := f.correlation + " " + f.kind + " " + f.key
		if seen[effect] {
			v.addDoubled("%s of %s is in the history twice for %s", f.kind, f.key, f.correlation)
		}
		seen[effect] = true
	}
}

// checkKey asks whether a key's events are complete, and make sense one after the other.
func (v *verifier) checkKey(key string, events []fact) {
	cancelled := false
	for i, f := range events {
		if i > 0 && f.sequence == events[i-1].sequence {
			v.addDoubled("%s has two events with the number %d", key, f.sequence)
			continue
		}
		expected := int64(1)
		if i > 0 {
			expected = events[i-1].sequence + 1
			if f.data.Version <= events[i-1].data.Version {
				v.addDisordered("%s: version %d (%s) follows %d", key, f.data.Version, f.kind, events[i-1].data.Version)
			}
		}
		if f.sequence != expected {
			v.addLost("%s has no event %d before %d (%s)", key, expected, f.sequence, f.kind)
		}
		begins := strings.HasSuffix(f.kind, ".placed.v1") || strings.HasSuffix(f.kind, ".created.v1")
		ends := strings.HasSuffix(f.kind, ".deleted.v1")
		if begins != (i == 0) || ends && i != len(events)-1 || cancelled && !ends || f.data.ID != key {
			v.addDisordered("%s: %s is its event %d of %d", key, f.kind, i+1, len(events))
		}
		cancelled = cancelled || f.kind == "order.cancelled.v1"
	}
}

// checkRows holds each aggregate's state against its last event, both ways.
func (v *verifier) checkRows() {
	for kind, rows := range map[string]map[string]row{"order": v.orders, "user": v.users} {
		for key, r := range rows {
			events := v.byKey[key]
			if len(events) == 0 {
				v.addLost("%s %s is there, and the history knows nothing of it", kind, key)
				continue
			}
			last := slices.MaxFunc(events, bySequence)
			v.checkRow(kind, key, r, last)
		}
	}
	for key, events := range v.byKey {
		last := slices.MaxFunc(events, bySequence)
		_, order := v.orders[key]
		_, user := v.users[key]
		if gone := strings.HasSuffix(last.kind, ".deleted.v1"); gone == (order || user) {
			v.addPhantom("%s: the last event is %s, and its row is there: %t", key, last.kind, order || user)
		}
	}
}

func (v *verifier) checkRow(kind, key string, r row, last fact) {
	switch {
	case r.sequence > last.sequence:
		v.addLost("%s %s has had %d events, and the history ends at %d", kind, key, r.sequence, last.sequence)
	case r.sequence < last.sequence:
		v.addPhantom("%s %s has had %d events, and the history has one more: %s", kind, key, r.sequence, last.kind)
	case r.version != last.data.Version, r.status != last.data.Status, r.total != last.data.Total:
		v.addPhantom("%s %s is %+v, and its last event says %+v", kind, key, r, last.data)
	}
}

// checkEffects asks whether the order service did what the user service's events say, once each.
func (v *verifier) checkEffects() {
	told := map[string]int64{}
	deleted := map[string]bool{}
	for _, f := range v.history {
		if prefix(f.kind) == "user" {
			told[f.key]++
			deleted[f.key] = deleted[f.key] || f.kind == "user.deleted.v1"
		}
	}
	for key, n := range told {
		switch applied := v.applied[key]; {
		case applied < n:
			v.addLost("order-customers applied %d of %d events of user %s", applied, n, key)
		case applied > n:
			v.addDoubled("order-customers applied %d times the %d events of user %s", applied, n, key)
		}
		if deleted[key] && !v.customers[key] {
			v.addLost("user %s is deleted, and the order service does not know", key)
		}
	}
	for key := range v.applied {
		if told[key] == 0 {
			v.addPhantom("order-customers applied events of user %s, of whom the history knows nothing", key)
		}
	}
	for key, r := range v.orders {
		if deleted[r.owner] && r.status == "placed" {
			v.addLost("order %s is still placed, and its user %s is deleted", key, r.owner)
		}
	}
	for _, p := range v.poison {
		v.addOther("in the poison queue: %s", p)
	}
	if v.leftOut > 0 {
		v.addOther("%d runs of events are left out", v.leftOut)
	}
}

// checkPaths follows the events from outbox to stream to history.
func (v *verifier) checkPaths() {
	recorded := map[string]bool{}
	for _, f := range v.history {
		if recorded[f.id] {
			v.addDoubled("event %s is in the history twice", f.id)
		}
		recorded[f.id] = true
	}
	for id, service := range v.outbox {
		if !recorded[id] {
			v.addLost("event %s is in the outbox of %s and not in the history", id, service)
		}
	}
	streamed := map[string]bool{}
	last := map[string]int64{}
	for _, m := range v.stream {
		if streamed[m.id] { // sent again after a crash, outside the broker's window: consumers tell it by its ID
			continue
		}
		streamed[m.id] = true
		if !recorded[m.id] {
			v.addLost("event %s is in the stream and not in the history", m.id)
		}
		if m.sequence != last[m.key]+1 {
			v.addDisordered("the stream has event %d of %s at %d, behind its event %d", m.sequence, m.key, m.at, last[m.key])
		}
		last[m.key] = m.sequence
	}
	for _, f := range v.history {
		if !streamed[f.id] {
			v.addPhantom("event %s (%s) is in the history and not in the stream", f.id, f.kind)
		}
	}
}
