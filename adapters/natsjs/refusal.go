package natsjs

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Errors of the server that have the status of a wrong request and yet hold for every message of the stream, until somebody changes it: the
// account is over its limits, the stream is sealed, or another stream has its subjects.
var wholeStream = []jetstream.ErrorCode{10002, 10109, 10060}

// refusal says what an error in place of an acknowledgement means. With the status of a wrong request it is the message's own fault, which
// no later attempt mends; any other is the stream's or the server's, as when there is no room.
func refusal(e *jetstream.APIError) error {
	if e.Code == http.StatusBadRequest && !slices.Contains(wholeStream, e.ErrorCode) {
		return ErrUnpublishable.Because(e)
	}
	refused := *ErrRefused
	if e.Description != "" {
		refused.Message = "The broker refuses messages: " + strings.TrimSuffix(e.Description, ".") + "."
	}
	return refused.Because(e)
}
