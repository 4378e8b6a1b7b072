package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

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

// Seal makes the cursor for position in the list that scope names: route, filters and caller. Position must be writable as
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
