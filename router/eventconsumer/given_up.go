package eventconsumer

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/router"
)

// givenUp reads what the consumer that gave m up wrote into its metadata. What is missing or makes no sense stays empty; the
// consumer's name is also in the subject.
func givenUp(m event.Message) event.GivenUp {
	consumer := m.Metadata[router.MetaPoisonConsumer]
	if consumer == "" {
		consumer, _ = strings.CutPrefix(m.Subject, contract.PoisonTopic(""))
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
