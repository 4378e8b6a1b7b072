package eventconsumer

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

// givenUp reads what the consumer that gave m up wrote into its metadata. What is missing or makes no sense stays empty. The
// consumer's name is the subject's, which the broker keeps others from: metadata could name a consumer of another service, and
// requeueing would bring it what it takes for its own.
func givenUp(m event.Message) event.GivenUp {
	consumer, ok := strings.CutPrefix(m.Subject, envelope.PoisonTopic(""))
	if !ok {
		consumer = m.Metadata[envelope.MetaPoisonConsumer]
	}
	return event.GivenUp{
		ID:       m.Metadata[envelope.MetaPoisonID],
		Consumer: consumer,
		Subject:  m.Metadata[envelope.MetaPoisonSubject],
		Reason:   m.Metadata[envelope.MetaPoisonReason],
		Attempts: number(m.Metadata[envelope.MetaPoisonAttempts]),
		Round:    number(m.Metadata[envelope.MetaRound]),
		First:    moment(m.Metadata[envelope.MetaPoisonFirst]),
		Last:     moment(m.Metadata[envelope.MetaPoisonLast]),
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
