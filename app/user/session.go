package user

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// How long a session lives, and what bounds it.
const (
	SessionIdle  = 14 * 24 * time.Hour // without a refresh
	SessionLasts = 30 * 24 * time.Hour // whatever happens
	// RefreshGrace is how long after its use a refresh token may come again: the answer was lost, or two tabs refreshed at once.
	RefreshGrace = 10 * time.Second
	// MaxSessions is how many a user has; one more ends the oldest.
	MaxSessions = 100
	// MaxRefreshTokens is how many a session gives out. Every one is kept until the session's end, because whoever brings a used one
	// must be recognised; three tabs that refresh every quarter of an hour for 30 days need fewer.
	MaxRefreshTokens = 10_000
	// MaxClient is how much is kept of what a client calls itself, in characters.
	MaxClient = 200
)

// Session is one sign-in and the family of refresh tokens that came of it. Each token is of a generation; those of the last one are
// unused, and the first of them that is used begins the next.
type Session struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Generation int64
	Issued     int64 // refresh tokens given out so far
	CreatedAt  time.Time
	LastUsedAt time.Time // when the last generation began
	ExpiresAt  time.Time
	Client     Client // as of the last use
}

// Client is what a user may recognise a session by. It is personal, and goes with the session.
type Client struct {
	Agent   string // what the program calls itself
	Address string
}

// BeginSession makes the session of a sign-in, with its first refresh token given out.
func BeginSession(id, userID uuid.UUID, c Client, at time.Time) Session {
	s := Session{ID: id, UserID: userID, CreatedAt: moment(at), Issued: 1}
	s.use(c, at)
	return s
}

// Refresh takes a token of a generation and gives out another, of generation s.Generation. If it reports false the session must end: it
// is over, or a token came a second time, and there is no telling which of the two callers stole it.
func (s *Session) Refresh(generation int64, c Client, at time.Time) bool {
	if !at.Before(s.ExpiresAt) || s.Issued >= MaxRefreshTokens {
		return false
	}
	switch generation {
	case s.Generation:
		s.use(c, at)
	case s.Generation - 1: // used, and none of its successors is
		if at.Sub(s.LastUsedAt) > RefreshGrace {
			return false
		}
	default:
		return false
	}
	s.Issued++
	return true
}

// Ends is when the session is over at the latest.
func (s *Session) Ends() time.Time { return s.CreatedAt.Add(SessionLasts) }

func (s *Session) use(c Client, at time.Time) {
	s.Generation++
	s.LastUsedAt = moment(at)
	s.ExpiresAt = s.LastUsedAt.Add(SessionIdle)
	if ends := s.Ends(); ends.Before(s.ExpiresAt) {
		s.ExpiresAt = ends
	}
	s.Client = c.shortened()
}

// shortened keeps what can be shown: a client may call itself anything.
func (c Client) shortened() Client {
	c.Agent = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, c.Agent)
	if runes := []rune(c.Agent); len(runes) > MaxClient {
		c.Agent = string(runes[:MaxClient])
	}
	return c
}
