package sqldb

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/app/fault"
)

// ErrTooLarge refuses a value that the database server cannot take.
var ErrTooLarge = fault.New(fault.TooLarge, "too_large_for_database",
	"It is larger than the database server takes. Send less, or have max_allowed_packet of the server raised.")

// netPacketTooLarge is the number with which MySQL refuses a packet, right before it closes the connection.
const netPacketTooLarge = 1153

// errPacketFull says that statements which were to travel together do not fit one packet. None of them was sent.
var errPacketFull = errors.New("the statements do not fit one packet of the server")

// tooLargeError is a value that the server would refuse. It was not sent.
type tooLargeError struct{ size, limit int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("a value of %d bytes is larger than the server takes (max_allowed_packet is %d)", e.size, e.limit)
}

// Unwrap makes it a fault wherever it comes up.
func (e *tooLargeError) Unwrap() error { return ErrTooLarge }

// packetMargin is what a packet has beside its largest value, at least.
const packetMargin = 256

// checkSize refuses arguments that do not fit a packet of at most limit bytes; 0 is no limit.
func checkSize(args []driver.NamedValue, limit int) error {
	if limit == 0 {
		return nil
	}
	for _, a := range args {
		size := 0
		switch v := a.Value.(type) {
		case []byte:
			size = len(v)
		case string:
			size = len(v)
		}
		if size > limit-packetMargin {
			return &tooLargeError{size: size, limit: limit}
		}
	}
	return nil
}

// notSkipped turns the driver's wish to prepare a statement, because it is too long with its arguments, into an error where it is several:
// only one can be prepared.
func notSkipped(query string, err error) error {
	if errors.Is(err, driver.ErrSkip) && strings.Contains(query, "; ") {
		return errPacketFull
	}
	return err
}
