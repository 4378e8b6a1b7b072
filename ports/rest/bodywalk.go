package rest

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/go-json-experiment/json/jsontext"
)

// value checks the next value against r.
func (c *check) value(r *rules) error {
	kind := c.tokens.PeekKind()
	switch {
	case r.kind == jsontext.KindInvalid, kind == jsontext.KindNull && r.null:
		return c.skip()
	case kind == jsontext.KindBeginObject && r.kind == jsontext.KindBeginObject:
		return c.object(r)
	case kind == jsontext.KindBeginArray && r.kind == jsontext.KindBeginArray:
		return c.array(r)
	case kind == jsontext.KindBeginObject, kind == jsontext.KindBeginArray:
		if err := c.byHuma(r, struct{}{}); err != nil { // of no type that a schema knows
			return err
		}
		return c.skip()
	}
	raw, err := c.tokens.ReadValue()
	if err != nil {
		return unexpected(err)
	}
	return c.scalar(r, raw)
}

// scalar checks a value that is neither object nor array.
func (c *check) scalar(r *rules, raw jsontext.Value) error {
	if raw.Kind() == jsontext.KindNumber {
		return c.number(r, string(raw))
	}
	if raw.Kind() == jsontext.KindString {
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		return c.byHuma(r, string(text))
	}
	if raw.Kind() == jsontext.KindNull {
		return c.byHuma(r, nil)
	}
	return c.byHuma(r, raw.Kind() == jsontext.KindTrue)
}

// unexpected is err, where the end of the body is always too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// byHuma has huma check a value that is no object or array.
func (c *check) byHuma(r *rules, v any) error {
	c.humas.Reset()
	c.nowhere.Reset()
	huma.Validate(nil, r.schema, &c.nowhere, huma.ModeWriteToServer, v, &c.humas)
	for _, err := range c.humas.Errors {
		if err := c.violate(fieldOf(err).Message); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) number(r *rules, literal string) error {
	if r.kind != jsontext.KindNumber {
		n, err := strconv.ParseFloat(literal, 64)
		if err != nil && r.schema.Type == huma.TypeNumber {
			return c.violate("must be a number that 64 bits can hold")
		}
		return c.byHuma(r, n)
	}
	n, fits, whole := wholeNumber(literal)
	switch {
	case !whole:
		return c.violate(validation.MsgExpectedInteger)
	case !fits, n>>(r.bits-1) != n>>63:
		return c.violate(fmt.Sprintf(ruleWhole, r.bits))
	}
	if plain := strconv.FormatInt(n, 10); plain != literal {
		to := c.tokens.InputOffset()
		c.rewrite = append(c.rewrite, rewrite{from: to - int64(len(literal)), to: to, plain: plain})
	}
	return c.byHuma(r, float64(n))
}

func (c *check) object(r *rules) error {
	if _, err := c.tokens.ReadToken(); err != nil {
		return err
	}
	before := len(c.found)
	seen, members := uint64(0), 0
	for ; c.tokens.PeekKind() != jsontext.KindEndObject; members++ {
		name, err := c.tokens.ReadValue()
		if err != nil {
			return unexpected(err)
		}
		bit, err := c.member(r, name)
		if err != nil {
			return err
		}
		seen |= bit
	}
	if _, err := c.tokens.ReadToken(); err != nil {
		return err
	}
	switch {
	case members < r.fewest:
		return c.violate(fmt.Sprintf(validation.MsgExpectedMinProperties, r.fewest))
	case r.most >= 0 && members > r.most:
		return c.violate(fmt.Sprintf(validation.MsgExpectedMaxProperties, r.most))
	}
	return c.missing(r, seen, before)
}

// missing names, before what is wrong within the object, which members it must have and has not.
func (c *check) missing(r *rules, seen uint64, before int) error {
	for _, f := range r.named {
		if !f.required || seen&f.bit != 0 {
			continue
		}
		if err := c.violateAt(before, fmt.Sprintf(validation.MsgExpectedRequiredProperty, f.name)); err != nil {
			return err
		}
		before++
	}
	return nil
}

// member checks the member of an object whose quoted name was read, and gives the bit of its rules. After an error the place stays.
func (c *check) member(r *rules, quoted jsontext.Value) (bit uint64, err error) {
	outside := len(c.place)
	c.place = append(c.place, '.')
	if c.place, err = jsontext.AppendUnquote(c.place, quoted); err != nil {
		return 0, err
	}
	switch f := r.fields[string(c.place[outside+1:])]; {
	case f == nil && r.others == nil:
		if err = c.violate(validation.MsgUnexpectedProperty); err == nil {
			err = c.skip()
		}
	case f == nil:
		err = c.value(r.others)
	case c.tokens.PeekKind() == jsontext.KindNull && (!f.required || r.null):
		bit, err = f.bit, c.skip()
	default:
		bit, err = f.bit, c.value(f.rules)
	}
	if err == nil {
		c.place = c.place[:outside]
	}
	return bit, err
}

func (c *check) array(r *rules) error {
	if r.most >= 0 && longer(c.body.data[c.tokens.InputOffset():], r.most) {
		if err := c.violate(fmt.Sprintf(validation.MsgExpectedMaxItems, r.most)); err != nil {
			return err
		}
		return c.skip()
	}
	if _, err := c.tokens.ReadToken(); err != nil {
		return err
	}
	elements, outside := 0, len(c.place)
	for ; c.tokens.PeekKind() != jsontext.KindEndArray; elements++ {
		c.place = append(strconv.AppendInt(append(c.place, '['), int64(elements), 10), ']')
		if err := c.value(r.items); err != nil {
			return err
		}
		c.place = c.place[:outside]
	}
	if _, err := c.tokens.ReadToken(); err != nil {
		return err
	}
	switch {
	case elements < r.fewest:
		return c.violate(fmt.Sprintf(validation.MsgExpectedMinItems, r.fewest))
	case r.most >= 0 && elements > r.most: // the one too many where none is allowed
		return c.violate(fmt.Sprintf(validation.MsgExpectedMaxItems, r.most))
	}
	return nil
}

// longer reports whether the array that begins data, behind a separator perhaps, has more than most elements, without reading them. What is
// not well-formed is found by whoever reads them.
func longer(data []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch ch := data[i]; {
		case ch == '"':
			quoted = !quoted
		case quoted:
			if ch == '\\' {
				i++
			}
		case ch == '[', ch == '{':
			depth++
		case ch == ']', ch == '}':
			if depth--; depth == 0 {
				return false
			}
		case ch == ',' && depth == 1:
			if most--; most <= 0 {
				return true
			}
		}
	}
	return false
}

// skip reads the next value, whatever it is.
func (c *check) skip() error {
	outside := c.tokens.StackDepth()
	for {
		if _, err := c.tokens.ReadToken(); err != nil {
			return unexpected(err)
		}
		switch depth := c.tokens.StackDepth(); {
		case depth > maxDepth:
			return errTooDeep
		case depth <= outside:
			return nil
		}
	}
}
