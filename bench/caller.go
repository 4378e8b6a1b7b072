package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// An order as the load places it.
const orderBody = `{"items":[{"sku":"book-0815","quantity":2,"unit_price":1250},{"sku":"pencil-hb","quantity":10,"unit_price":99}],` +
	`"currency":"EUR","note":"ring twice"}`

// caller is one connection that sends requests which were written beforehand. It does as little as a client can, because it shares
// the processors with what is measured.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial opens a connection.
func dial(ctx context.Context, address string) (*caller, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 4096)}, nil
}

// placing writes the request of an order. correlation may be empty.
func placing(address, token, correlation string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /api/orders HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", address, token)
	if correlation != "" {
		fmt.Fprintf(&b, "X-Correlation-ID: %s\r\n", correlation)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(orderBody), orderBody)
	return b.Bytes()
}

// place sends a request and reads the answer, which has to be 201.
func (c *caller) place(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	status, length, err := c.head()
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if status != 201 {
		rest, _ := io.ReadAll(io.LimitReader(c.in, int64(length)))
		return fmt.Errorf("status %d: %s", status, rest)
	}
	_, err = c.in.Discard(length)
	return err
}

// head reads the answer's status and headers.
func (c *caller) head() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 201") {
		return 0, 0, errors.New("no status line")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, err
			}
		}
	}
	if length < 0 {
		err = errors.New("the answer does not say how long it is")
	}
	return status, length, err
}

func (c *caller) close() { _ = c.conn.Close() }
