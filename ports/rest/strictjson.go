package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// strictFormat is how bodies are read and written. What is strict about reading was done before, by rules.check.
var strictFormat = huma.Format{Marshal: writeJSON, Unmarshal: readJSON}

var (
	again = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	// Answers keep encoding/json's meaning of omitempty. Stored payloads are passed on as they are, even with a key twice.
	written = json.JoinOptions(jsonv1.OmitEmptyWithLegacySemantics(true), json.Deterministic(true), again)
)

// readJSON reads data, which was checked, into v. Names are case-sensitive. Its errors name the place, never what stands there.
func readJSON(data []byte, v any) error {
	if err := json.Unmarshal(data, v, again); err != nil {
		return misfit(err)
	}
	return nil
}

// misfitAt begins the message of a misfit, before its place. huma passes on nothing of an error but its text, and fieldOf
// takes the place out of it.
const misfitAt = "does not fit at "

// misfit is the error for what passes the schema and the type cannot hold.
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
