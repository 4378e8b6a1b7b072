package natsjs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// difference is a field of a stream or durable that is not as it must be for nothing to be lost, forged or held up.
type difference struct {
	field     string
	was, want any
	tolerated bool // it is told, and everything flows all the same
}

// comparison gathers differences.
type comparison []difference

func (c *comparison) add(differs bool, field string, was, wanted any) {
	if differs {
		*c = append(*c, difference{field: field, was: was, want: wanted})
	}
}

// tolerate adds a difference that this client adapts to.
func (c *comparison) tolerate(differs bool, field string, was, wanted any) {
	if differs {
		*c = append(*c, difference{field: field, was: was, want: wanted, tolerated: true})
	}
}

// fields are those that are not tolerated.
func (c comparison) fields() (fields []string) {
	for _, d := range c {
		if !d.tolerated && !slices.Contains(fields, d.field) {
			fields = append(fields, d.field)
		}
	}
	return fields
}

// subject is a stream or a durable, for the log and for readiness.
type subject struct {
	kind, name string
	advice     string
}

func (s subject) String() string { return s.kind + " " + s.name }

// Differences returns what is not as it must be and could not be corrected, each with the names of its fields: "stream EVENTS: retention".
func (c *Conn) Differences() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.differing)) {
		if fields := c.differing[name].fields(); len(fields) > 0 {
			all = append(all, name+": "+strings.Join(fields, ", "))
		}
	}
	return all
}

// noteDifferences keeps how a stream or durable differs, and logs it whenever that changes. refused is why it could not be corrected, if
// that was tried.
func (c *Conn) noteDifferences(ctx context.Context, of subject, found comparison, refused error) {
	c.mu.Lock()
	before := c.differing[of.String()]
	if len(found) == 0 {
		delete(c.differing, of.String())
	} else {
		c.differing[of.String()] = found
	}
	c.mu.Unlock()
	if fmt.Sprint(before) == fmt.Sprint(found) {
		return
	}
	log := c.logger.With(slog.String(of.kind, of.name))
	if len(found) == 0 {
		log.InfoContext(ctx, "broker configuration is as it must be again")
	}
	for _, d := range found {
		advice := of.advice
		if d.tolerated {
			advice = "none needed: requests for messages keep to it"
		}
		log.WarnContext(ctx, "broker configuration differs", slog.String("field", d.field), slog.Any("is", d.was), slog.Any("wanted", d.want),
			slog.Any("refused", refused), slog.String("advice", advice))
	}
}
