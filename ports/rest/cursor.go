package rest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/app/fault"
)

// Cursors seals positions in lists, so that a client can hold one but not make one.
type Cursors struct{ key []byte }

const cursorMAC = 16

// NewCursors makes cursors under a key derived from secret. Replicas with the same secret take each other's.
func NewCursors(secret []byte) Cursors {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("millrace cursors v1"))
	return Cursors{key: m.Sum(nil)}
}

// ListOf names a list for its cursors: which one, whose, and every filter. A cursor of one list is refused by every other.
func ListOf(ctx context.Context, name string, filters ...string) string {
	caller := Caller(ctx)
	var b strings.Builder
	b.WriteString(name)
	b.WriteString(strconv.Quote(string(caller.UserID[:])))
	for _, f := range filters {
		b.WriteString(strconv.Quote(f))
	}
	return b.String()
}

// Stamp writes a time as a filter of ListOf, however the caller spelt it; no time is empty.
func Stamp(t OptionalTime) string {
	if !t.Given {
		return ""
	}
	return t.Value.UTC().Format(time.RFC3339Nano)
}

// Behind opens a cursor of the list that ListOf named and gives the position behind which its page begins, nil for the first page.
func Behind[P any](c Cursors, list, cursor string) (*P, error) {
	if cursor == "" {
		return nil, nil
	}
	position := new(P)
	if err := c.Open(list, cursor, position); err != nil {
		return nil, err
	}
	return position, nil
}

// Seal makes the cursor for position in the list that scope names. Position must be writable as
// JSON; what is not gives a cursor that Open refuses.
func (c Cursors) Seal(scope string, position any) string {
	payload, err := json.Marshal(position)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(c.mac(scope, payload), payload...))
}

// Open reads into position what Seal was given, and refuses a cursor of another scope, key or making as invalid.
func (c Cursors) Open(scope, cursor string, position any) error {
	foreign := fault.NewInvalid(fault.Field{Location: "query.cursor", Message: "is not a cursor of this list"})
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(sealed) < cursorMAC || strings.ContainsAny(cursor, "\r\n") { // base64 passes over line ends
		return foreign
	}
	payload := sealed[cursorMAC:]
	if !hmac.Equal(sealed[:cursorMAC], c.mac(scope, payload)) {
		return foreign
	}
	if err := json.Unmarshal(payload, position); err != nil {
		return foreign.Because(err)
	}
	return nil
}

func (c Cursors) mac(scope string, payload []byte) []byte {
	inner := sha256.Sum256([]byte(scope)) // of one length, so that scope and payload cannot run into each other
	m := hmac.New(sha256.New, c.key)
	m.Write(inner[:])
	m.Write(payload)
	return m.Sum(nil)[:cursorMAC]
}
