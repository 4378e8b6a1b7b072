package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// body is what this program reads of an answer.
type body struct {
	ID          string            `json:"id"`
	Version     int64             `json:"version"`
	Status      string            `json:"status"`
	AccessToken string            `json:"access_token"`
	Code        string            `json:"code"` // of a problem
	Items       []json.RawMessage `json:"items"`
}

// answer is what came of a request. An answer whose body broke off counts as none.
type answer struct {
	status int // 0 without an answer
	unsent bool
	body   body
	err    error
}

// outcome says what the answer proves.
func (a answer) outcome() outcome {
	switch {
	case a.unsent, a.status >= 400 && a.status < 500, a.status == http.StatusServiceUnavailable && a.body.Code == "database_away":
		return refused // of a database that is away we are told that nothing was changed: that is held against it
	case a.err == nil && a.status >= 200 && a.status < 300:
		return done
	default:
		return open
	}
}

// request is one call of the REST API.
type request struct {
	method, url, token, correlation string
	body                            any
}

// client calls replicas. It gives up long before a paused process goes on, as an impatient caller does.
type client struct{ http *http.Client }

func newClient() *client {
	return &client{http: &http.Client{
		Timeout: 4 * time.Second,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 64,
		},
	}}
}

// do sends r once. Whatever the transport does by itself is done before anything was written.
func (c *client) do(ctx context.Context, r request) answer {
	content, err := json.Marshal(r.body)
	if err != nil {
		return answer{unsent: true, err: err}
	}
	if r.body == nil {
		content = nil
	}
	call, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(content))
	if err != nil {
		return answer{unsent: true, err: err}
	}
	if r.body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		call.Header.Set("Authorization", "Bearer "+r.token)
	}
	call.Header.Set("X-Correlation-ID", r.correlation)
	response, err := c.http.Do(call)
	if err != nil {
		return answer{unsent: neverConnected(err), err: err}
	}
	defer response.Body.Close()
	return read(response)
}

// neverConnected reports whether not even a connection came about: such a request cannot have happened.
func neverConnected(err error) bool {
	broken, ok := errors.AsType[*net.OpError](err)
	return ok && broken.Op == "dial"
}

func read(response *http.Response) answer {
	a := answer{status: response.StatusCode}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{err: err}
	}
	if len(content) > 0 {
		a.err = json.Unmarshal(content, &a.body)
	}
	if response.StatusCode >= 300 {
		a.err = fmt.Errorf("%s: %s", response.Status, content)
	}
	return a
}
