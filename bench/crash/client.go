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

// responseBody holds the members of a response body that this program reads.
type responseBody struct {
	ID          string            `json:"id"`
	Version     int64             `json:"version"`
	Status      string            `json:"status"`
	AccessToken string            `json:"access_token"`
	Code        string            `json:"code"` // of a problem
	Items       []json.RawMessage `json:"items"`
}

// response is the result of a request. If the body could not be read to its end, status is 0.
type response struct {
	status int  // 0 without a response
	unsent bool // the request did not reach a server
	body   responseBody
	err    error
}

// outcome returns what the response proves about the request.
func (r response) outcome() outcome {
	switch {
	case r.unsent, r.status >= 400 && r.status < 500, r.status == http.StatusServiceUnavailable && r.body.Code == "database_away":
		return rejected // database_away promises that nothing was changed, so a change counts as a finding
	case r.err == nil && r.status >= 200 && r.status < 300:
		return acknowledged
	default:
		return unknown
	}
}

// request is one call of the REST API.
type request struct {
	method, url, token, correlationID string
	body                              any
}

// client calls replicas. Its timeout is shorter than most pauses of a process, so that requests to a paused process fail.
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

// do sends r once. The transport retries only requests of which no byte was written.
func (c *client) do(ctx context.Context, r request) response {
	content, err := json.Marshal(r.body)
	if err != nil {
		return response{unsent: true, err: err}
	}
	if r.body == nil {
		content = nil
	}
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(content))
	if err != nil {
		return response{unsent: true, err: err}
	}
	if r.body != nil {
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		httpRequest.Header.Set("Authorization", "Bearer "+r.token)
	}
	httpRequest.Header.Set("X-Correlation-ID", r.correlationID)
	httpResponse, err := c.http.Do(httpRequest)
	if err != nil {
		return response{unsent: isDialError(err), err: err}
	}
	defer httpResponse.Body.Close()
	return readResponse(httpResponse)
}

// isDialError reports whether no connection was established. Such a request cannot have had an effect.
func isDialError(err error) bool {
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && opErr.Op == "dial"
}

func readResponse(r *http.Response) response {
	result := response{status: r.StatusCode}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return response{err: err}
	}
	if len(content) > 0 {
		result.err = json.Unmarshal(content, &result.body)
	}
	if r.StatusCode >= 300 {
		result.err = fmt.Errorf("%s: %s", r.Status, content)
	}
	return result
}
