package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/millrace/millrace/app/fault"
)

// Bounds of what is said about a body. Reading ends with the first violation that goes beyond them: nothing is made for the others.
const (
	maxViolations      = 100
	maxViolationsBytes = 32 << 10
	maxDepth           = 100 // of values in one another
)

// keptCheck is the longest body whose check goes back to the pool.
const keptCheck = 4 << 10

var (
	errEnough   = errors.New("more violations than are told")
	errTooDeep  = fmt.Errorf("has values in one another more than %d deep", maxDepth)
	errTrailing = errors.New("has data behind its value")
)

// check is one walk through a body against its rules. It builds no values of objects and arrays.
type check struct {
	body    heldBody
	source  bytes.Reader // no bytes.Buffer: the decoder would write into the body
	tokens  jsontext.Decoder
	place   []byte // where the walk is, as violations name it
	humas   huma.ValidateResult
	nowhere huma.PathBuffer
	found   []fault.Field
	weight  int
	rewrite []rewrite
}

// rewrite is a whole number that was written with a point or an exponent, and how the operation's decoder knows it.
type rewrite struct {
	from, to int64
	plain    string
}

var checks = sync.Pool{New: func() any { return new(check) }}

// check checks a body against r: that it is well-formed JSON in UTF-8 without a key twice in one object, and keeps the rules. It gives the
// body as the operation decodes it, or what the request is refused with.
func (r *rules) check(body heldBody) ([]byte, *refusal) {
	c, _ := checks.Get().(*check)
	defer c.release()
	c.begin(body)
	err := c.value(r)
	if err == nil {
		err = c.end()
	}
	switch {
	case err == nil && len(c.found) == 0:
		return c.rewritten(), nil
	case err == nil, errors.Is(err, errEnough):
	case body.cut && errors.Is(err, io.ErrUnexpectedEOF):
		_ = c.violate(fmt.Sprintf("is where the body exceeds %d bytes, white space between values left aside", maxHeld))
	default:
		return nil, &refusal{
			status: http.StatusBadRequest, code: "malformed", detail: "The request cannot be read.",
			fields: []fault.Field{{Location: "body", Message: c.malformed(err)}},
		}
	}
	detail := "The request has invalid values."
	if errors.Is(err, errEnough) {
		detail = fmt.Sprintf("The request has many invalid values. Only the first %d are named.", len(c.found))
	}
	return nil, &refusal{status: http.StatusUnprocessableEntity, code: "invalid", detail: detail, fields: c.found}
}

func (c *check) begin(body heldBody) {
	if body.cut { // not within a character
		for n := range utf8.UTFMax {
			if end := len(body.data) - 1 - n; end >= 0 && utf8.RuneStart(body.data[end]) {
				if !utf8.FullRune(body.data[end:]) {
					body.data = body.data[:end]
				}
				break
			}
		}
	}
	c.body = body
	c.source.Reset(body.data)
	c.tokens.Reset(&c.source)
	c.place = append(c.place[:0], "body"...)
}

// release lets go of everything that belongs to the body.
func (c *check) release() {
	if len(c.body.data) > keptCheck {
		return // its buffers have grown with the body
	}
	c.body, c.found, c.weight, c.rewrite = heldBody{}, nil, 0, c.rewrite[:0]
	c.source.Reset(nil)
	checks.Put(c)
}

// end asks that nothing follows the value.
func (c *check) end() error {
	switch _, err := c.tokens.ReadToken(); {
	case errors.Is(err, io.EOF) && !c.body.cut:
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return errTrailing
	default:
		return err
	}
}

// violate notes that the value at the place of the walk breaks a rule, or ends the walk where enough is noted.
func (c *check) violate(rule string) error { return c.violateAt(len(c.found), rule) }

// violateAt does so at a place among the violations.
func (c *check) violateAt(at int, rule string) error {
	f := fault.Field{Location: cut(string(c.place[:min(len(c.place), maxLocation+1)])), Message: rule}
	c.weight += violationWeight(f)
	if len(c.found) == maxViolations || c.weight > maxViolationsBytes {
		return errEnough
	}
	c.found = slices.Insert(c.found, at, f)
	return nil
}

// violationWeight is about what f weighs in an answer.
func violationWeight(f fault.Field) int {
	quoted, err := jsontext.AppendQuote(nil, f.Location)
	if err != nil {
		return maxViolationsBytes
	}
	return len(quoted) + len(f.Message) + len(`{"location":,"message":""},`)
}

// rewritten is the body as the operation's decoder knows it.
func (c *check) rewritten() []byte {
	if len(c.rewrite) == 0 {
		return c.body.data
	}
	var out []byte
	from := int64(0)
	for _, w := range c.rewrite {
		out = append(append(out, c.body.data[from:w.from]...), w.plain...)
		from = w.to
	}
	return append(out, c.body.data[from:]...)
}

// malformed says what is wrong with a body that is no JSON, and where, but not what stands there.
func (c *check) malformed(err error) string {
	rule := "is not valid JSON"
	switch {
	case errors.Is(err, errTooDeep), errors.Is(err, errTrailing):
		rule = err.Error()
	case errors.Is(err, jsontext.ErrDuplicateName):
		rule = "has a key twice in one object"
	case !utf8.Valid(c.body.data):
		rule = "is not valid UTF-8"
	case errors.Is(err, io.ErrUnexpectedEOF):
		rule = "ends in the middle of a value"
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok && !c.body.squeezed {
		rule += fmt.Sprintf(", at byte %d", e.ByteOffset)
	}
	return rule
}
