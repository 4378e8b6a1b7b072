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

// orderBody is the body of each request of the load.
const orderBody = `{"items":[{"sku":"book-0815","quantity":2,"unit_price":1250},{"sku":"pencil-hb","quantity":10,"unit_price":99}],` +
	`"currency":"EUR","note":"ring twice"}`

// orderClient sends encoded requests on one connection. It does as little work as possible, because it shares the CPU with the system
// that is measured.
type orderClient struct {
	conn net.Conn
	in   *bufio.Reader
}

// dialOrders connects to the order service at address.
func dialOrders(ctx context.Context, address string) (*orderClient, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &orderClient{conn: conn, in: bufio.NewReaderSize(conn, 4096)}, nil
}

// encodeOrderRequest returns the bytes of a request that places an order. The correlation ID may be empty.
func encodeOrderRequest(address, token, correlationID string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /api/orders HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", address, token)
	if correlationID != "" {
		fmt.Fprintf(&b, "X-Correlation-ID: %s\r\n", correlationID)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(orderBody), orderBody)
	return b.Bytes()
}

// send sends an encoded request and reads the response. It returns an error unless the status is 201.
func (c *orderClient) send(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	status, length, err := c.readHeader()
	if err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	if status != 201 {
		rest, _ := io.ReadAll(io.LimitReader(c.in, int64(length)))
		return fmt.Errorf("status %d: %s", status, rest)
	}
	_, err = c.in.Discard(length)
	return err
}

// readHeader reads the status line and the header of a response. It returns the status and the content length.
func (c *orderClient) readHeader() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 201") {
		return 0, 0, errors.New("malformed status line")
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
		err = errors.New("the response has no Content-Length")
	}
	return status, length, err
}

func (c *orderClient) close() { _ = c.conn.Close() }
