package sqldb

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/router"
)

// PoisonID is the ID of what a consumer gave up in a round: the same whenever it is given up again.
func PoisonID(consumer string, e contract.Envelope, round int) uuid.UUID {
	return uuid.NewSHA1(failureID(e), []byte(consumer+"/"+strconv.Itoa(round)))
}

// Limits in bytes, so that a poison message always fits where its event did.
const (
	maxReason = 1024
	maxStack  = 4096
)

func poisonMetadata(id uuid.UUID, failure router.Failure, count router.Count) map[string]string {
	m := publishable(failure.Metadata)
	m[router.MetaDeduplicationID] = id.String()
	m[router.MetaPoisonID] = id.String()
	m[router.MetaPoisonConsumer] = failure.Consumer
	m[router.MetaPoisonSubject] = failure.Subject
	m[router.MetaPoisonReason] = clip(strings.Join(strings.Fields(failure.Reason), " "), maxReason)
	m[router.MetaPoisonAttempts] = strconv.Itoa(count.Attempts)
	m[router.MetaPoisonFirst] = count.First.UTC().Format(time.RFC3339Nano)
	m[router.MetaPoisonLast] = count.Last.UTC().Format(time.RFC3339Nano)
	if failure.Stack != "" {
		m[router.MetaPoisonStack] = clip(strconv.Quote(clip(failure.Stack, maxStack/2)), maxStack)
	}
	if m[contract.MetaID] == "" { // the broker's adapter made the ID from the message's place in a stream that it now leaves
		m[contract.MetaID] = failure.Event.ID
	}
	return m
}

// clip cuts s to at most n bytes, between characters. No blank stays at an end: brokers refuse such a value, or change it.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.TrimSpace(s)
}
