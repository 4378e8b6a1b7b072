// Package correlation carries, from the request to the last event that it caused, the ID under which all of it is found.
package correlation

import "context"

// MaxLength is the longest correlation ID, in characters.
const MaxLength = 128

type key struct{}

// IDs are the two links of a message to what came before it.
type IDs struct {
	Correlation string // of the request that began it all
	Causation   string // of the event that is being handled; empty inside a request
}

// With returns a ctx that carries ids.
func With(ctx context.Context, ids IDs) context.Context { return context.WithValue(ctx, key{}, ids) }

// From gives the IDs that ctx carries, empty ones where it carries none.
func From(ctx context.Context) IDs {
	ids, _ := ctx.Value(key{}).(IDs)
	return ids
}

// Valid reports whether id may be taken from outside: 1 to MaxLength letters, digits or any of "-_.:/+=@".
// What fails is replaced by a new ID, because it goes into logs, headers and message metadata.
func Valid(id string) bool {
	if id == "" || len(id) > MaxLength {
		return false
	}
	for i := range len(id) {
		if !safe(id[i]) {
			return false
		}
	}
	return true
}

func safe(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', ':', '/', '+', '=', '@':
		return true
	}
	return false
}
