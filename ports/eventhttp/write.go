package eventhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const contentType = "application/json"

// answer is a body that was written here. Every JSON encoder would take the spaces out of an event's data, or escape what stands in
// it, and the data would no longer be the bytes that were published.
type answer struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

// shape is what can be answered: taken apart into what an encoder writes and the data.
type shape interface {
	apart() (rest any, data json.RawMessage)
}

func (e Event) apart() (rest any, data json.RawMessage) {
	data, e.Data = e.Data, nil
	return e, data
}

func (d EventDetail) apart() (rest any, data json.RawMessage) {
	data, d.Data = d.Data, nil
	return d, data
}

func (p Poison) apart() (rest any, data json.RawMessage) {
	data, p.Data = p.Data, nil
	return p, data
}

func writeOne(s shape) (*answer, error) {
	var buf bytes.Buffer
	if err := write(&buf, s); err != nil {
		return nil, err
	}
	buf.WriteByte('\n')
	return &answer{ContentType: contentType, Body: buf.Bytes()}, nil
}

func writePage[S shape](items []S, next string) (*answer, error) {
	var buf bytes.Buffer
	buf.WriteString(`{"items":[`)
	for i, s := range items {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := write(&buf, s); err != nil {
			return nil, err
		}
	}
	buf.WriteByte(']')
	if next != "" {
		fmt.Fprintf(&buf, `,"next_cursor":%q`, next) // a cursor is base64
	}
	buf.WriteString("}\n")
	return &answer{ContentType: contentType, Body: buf.Bytes()}, nil
}

func write(buf *bytes.Buffer, s shape) error {
	rest, data := s.apart()
	encoded, err := json.Marshal(rest)
	if err != nil {
		return fmt.Errorf("write answer as JSON: %w", err)
	}
	if data == nil {
		buf.Write(encoded)
		return nil
	}
	buf.Write(encoded[:len(encoded)-1])
	buf.WriteString(`,"data":`)
	buf.Write(data)
	buf.WriteByte('}')
	return nil
}
