package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// strictFormat is how bodies are read and written. huma reads a body twice: into plain maps, against which the schema is
// checked, and then into the operation's type. The first is strict, the second need not be strict again.
var strictFormat = huma.Format{Marshal: writeJSON, Unmarshal: readJSON}

var (
	again = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	// Answers keep encoding/json's meaning of omitempty. Stored payloads are passed on as they are, even with a key twice.
	written = json.JoinOptions(jsonv1.OmitEmptyWithLegacySemantics(true), json.Deterministic(true), again)
)

// readJSON reads data into v. Its errors name the place and the rule, never what stands there. Names are case-sensitive;
// trailing data, invalid UTF-8 and a key that appears twice in one object, at any depth, are refused.
func readJSON(data []byte, v any) error {
	if plain, ok := v.(*any); ok {
		err := json.Unmarshal(data, plain)
		if errors.Is(err, strconv.ErrRange) {
			err = json.Unmarshal(data, plain, boundless)
		}
		if err != nil {
			return malformed(data, err)
		}
		return nil
	}
	if err := json.Unmarshal(data, v, again); err != nil {
		return misfit(err)
	}
	return nil
}

// boundless reads a number beyond float64 as infinite. It is well-formed JSON; the schema or misfit refuse it and name its place.
var boundless = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	number, err := d.ReadValue()
	if err != nil {
		return err
	}
	*v, _ = strconv.ParseFloat(string(number), 64) // the error says that it is infinite
	return nil
}))

func malformed(data []byte, err error) error {
	rule := "is not valid JSON"
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		rule = "has a key twice in one object"
	case !utf8.Valid(data):
		rule = "is not valid UTF-8"
	case errors.Is(err, io.ErrUnexpectedEOF):
		rule = "ends in the middle of a value"
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		rule += fmt.Sprintf(", at byte %d", e.ByteOffset)
	}
	return errors.New(rule)
}

// misfitAt begins the message of a misfit, before its place. huma passes on nothing of an error but its text, and fieldOf
// takes the place out of it.
const misfitAt = "does not fit at "

// misfit is the error for what passes the schema and the type cannot hold: a number beyond 64 bits, or a whole number written with a point
// or an exponent.
func misfit(err error) error {
	var place strings.Builder
	place.WriteString("body")
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		for token := range e.JSONPointer.Tokens() {
			if isIndex(token) {
				place.WriteString("[" + token + "]")
			} else {
				place.WriteString("." + token)
			}
		}
	}
	return errors.New(misfitAt + place.String())
}

// isIndex tells a place in an array from a name. A name of digits alone is taken for one too: the API has none.
func isIndex(token string) bool {
	return token != "" && strings.Trim(token, "0123456789") == ""
}

var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// writeJSON writes v in one piece, so that nothing of an answer is sent that cannot be written whole. A client that does not
// take it is gone, which is no failure.
func writeJSON(w io.Writer, v any) error {
	if before, ok := v.(replayed); ok {
		_, _ = w.Write(before.Body)
		return nil
	}
	buf, _ := answers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keptBody {
			buf.Reset()
			answers.Put(buf)
		}
	}()
	if err := json.MarshalWrite(buf, v, written); err != nil {
		return fmt.Errorf("write answer as JSON: %w", err)
	}
	buf.WriteByte('\n')
	_, _ = w.Write(buf.Bytes())
	return nil
}
