package sqldb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/inbox"
)

// PoisonID is the ID of what a consumer gave up in a round: the same whenever it is given up again.
func PoisonID(consumer string, e envelope.Envelope, round int) uuid.UUID {
	return uuid.NewSHA1(failureID(e), []byte(consumer+"/"+strconv.Itoa(round)))
}

// maxStack bounds a stack in bytes, so that a poison message always fits where its event did.
const maxStack = 4096

func poisonMetadata(id uuid.UUID, failure inbox.Failure, count inbox.Count) map[string]string {
	m := Publishable(failure.Metadata)
	m[envelope.MetaDeduplicationID] = id.String()
	m[envelope.MetaPoisonID] = id.String()
	m[envelope.MetaPoisonConsumer] = failure.Consumer
	m[envelope.MetaPoisonSubject] = failure.Subject
	m[envelope.MetaPoisonReason] = clip(strings.Join(strings.Fields(failure.Reason), " "), envelope.MaxReason)
	m[envelope.MetaPoisonAttempts] = strconv.Itoa(count.Attempts)
	m[envelope.MetaPoisonFirst] = count.First.UTC().Format(time.RFC3339Nano)
	m[envelope.MetaPoisonLast] = count.Last.UTC().Format(time.RFC3339Nano)
	delete(m, envelope.MetaRound) // but for what was requeued it is a claim
	if failure.Round > 0 {
		m[envelope.MetaRound] = strconv.Itoa(failure.Round)
	}
	delete(m, envelope.MetaPoisonOmitted)
	delete(m, envelope.MetaPoisonStack)
	if failure.Stack != "" {
		m[envelope.MetaPoisonStack] = clip(strconv.Quote(clip(failure.Stack, maxStack/2)), maxStack)
	}
	if m[envelope.MetaID] == "" { // the broker's adapter made the ID from the message's place in a stream that it now leaves
		m[envelope.MetaID] = failure.Event.ID
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

// maxMetadata is less than the 64 KiB of headers that JetStream takes: each has a separator, and the broker's adapter adds its own.
const maxMetadata = 60 << 10

// written are the keys that poisonMetadata writes, each value of which is short.
var written = []string{
	envelope.MetaDeduplicationID, envelope.MetaPoisonID, envelope.MetaPoisonConsumer, envelope.MetaPoisonSubject, envelope.MetaPoisonReason,
	envelope.MetaPoisonAttempts, envelope.MetaPoisonFirst, envelope.MetaPoisonLast, envelope.MetaPoisonStack, envelope.MetaRound,
}

// omitMetadata takes foreign values out of m, the longest first and those of the envelope last, until a broker takes the others. It
// says what it left out: "metadata", or nothing.
func omitMetadata(m map[string]string) (omitted []string) {
	size := 0
	var foreign []string
	for key, value := range m {
		size += headerSize(key, value)
		if !slices.Contains(written, key) {
			foreign = append(foreign, key)
		}
	}
	slices.SortFunc(foreign, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(m[b]), len(m[a])), strings.Compare(a, b))
	})
	for _, key := range foreign {
		if size <= maxMetadata {
			break
		}
		size -= headerSize(key, m[key])
		delete(m, key)
		omitted = []string{"metadata"}
	}
	return omitted
}

func headerSize(key, value string) int { return len(key) + len(value) + len(": \r\n") }

// rank puts the envelope last.
func rank(key string) int {
	if strings.HasPrefix(key, "ce-") {
		return 1
	}
	return 0
}
