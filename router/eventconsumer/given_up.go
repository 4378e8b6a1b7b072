package eventconsumer

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/router"
)

// givenUp reads what the consumer that gave m up wrote into its metadata. What is missing or makes no sense stays empty. The
// consumer's name is the subject's, which the broker keeps others from: metadata could name a consumer of another service, and
// requeueing would bring it what it takes for its own.
func givenUp(m event.Message) event.GivenUp {
	consumer, ok := strings.CutPrefix(m.Subject, contract.PoisonTopic(""))
	if !ok {
		consumer = m.Metadata[router.MetaPoisonConsumer]
	}
	return event.GivenUp{
		ID:       m.Metadata[router.MetaPoisonID],
		Consumer: consumer,
		Subject:  m.Metadata[router.MetaPoisonSubject],
		Reason:   m.Metadata[router.MetaPoisonReason],
		Attempts: number(m.Metadata[router.MetaPoisonAttempts]),
		Round:    number(m.Metadata[router.MetaRound]),
		First:    moment(m.Metadata[router.MetaPoisonFirst]),
		Last:     moment(m.Metadata[router.MetaPoisonLast]),
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
