// Package usertest is the suite that each store of accounts must pass: what the commands and queries promise, on a real database.
package usertest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/limit"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

// Store is what a store must implement.
type Store interface {
	command.Store
	query.Store
	query.SessionStore
}

// Fixture is a fresh store, and a view of what it is about to publish.
type Fixture struct {
	Store     Store
	Limits    func(now func() time.Time) command.Limits
	Published func(t *testing.T) []envelope.Envelope // in the order in which it was stored
}

// Run runs the suite; open gives each of its tests a store of its own.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"a registered account is read back as it was answered", registeredIsReadBack},
		{"the longest values are kept whole", longestValues},
		{"what breaks a rule is refused before it costs a hash", brokenRegistration},
		{"an e-mail address is one account's, in any spelling", emailTaken},
		{"of many who register one e-mail address at once one gets it", emailRaced},
		{"a change gives one version and one event without personal data", changed},
		{"a change of nothing is no change", unchanged},
		{"a new e-mail address of one's own needs the password", emailConfirmed},
		{"a confirmation does not outlive the password it was given with", confirmationOutdated},
		{"an admin gives another an e-mail address without a password", emailByAdmin},
		{"a role is given by admins alone", roleGiven},
		{"to others an account does not exist", foreign},
		{"a deleted account leaves an event and no row", deleted},
		{"the last admin stays", lastAdmin},
		{"two admins who demote each other do not both succeed", adminsRaced},
		{"of 64 who demote and delete 16 admins one finds the last", adminsCrowd},
		{"64 who change one account lose nothing", crowd},
		{"a change meant for another version is refused", otherVersion},
		{"that an account moved is said before that it is the last admin's", movedAdmin},
		{"of 64 who change the same version one does", carefulCrowd},
		{"an error undoes state and event", undone},
		{"a closure that runs twice has one effect", twice},
		{"who gave up stores nothing", gaveUp},
		{"a request that comes again gets its first answer and has no second effect", requestAgain},
		{"a request whose answer was lost gets it when it comes again", requestLost},
		{"of one request that comes 64 times at once one has an effect", requestCrowd},
		{"a sign-in gives a token for the account", signedIn},
		{"an unknown e-mail address costs what a wrong password costs", signInRefused},
		{"a refresh token gives the next pair for what the user is now", refreshed},
		{"of 64 who refresh with one token none is signed out", refreshRaced},
		{"a refresh token that comes a second time ends its session", refreshReused},
		{"a session that ended stays ended, however many refresh it", refreshEnded},
		{"an idle session and an old one are over", refreshLate},
		{"who signs out by any token of a session ends it", signedOut},
		{"a session is ended by its user, and by nobody else", sessionEnded},
		{"all sessions of a user are ended by that user and by admins", sessionsEnded},
		{"a deleted account's sessions are gone", sessionsDeleted},
		{"one session more than there may be ends the oldest", sessionsBounded},
		{"a sign-in that a change of the password overtakes is none", signInOvertaken},
		{"a new password ends the other sessions and the old password", passwordChanged},
		{"a password is changed by its user, who knows it, to a good one", passwordKept},
		{"of a race of changes, sign-ins and refreshes nothing of the old password is left", passwordRaced},
		{"a drawn password must be changed, and tokens say so until it is", drawnPassword},
		{"a drawn password that was lost is replaced, a chosen one is not", lostPassword},
		{"a password is the same in each spelling of its characters", passwordSpelled},
		{"an account's password is guessed 10 times from one address", guessedFromOne},
		{"of 1000 who guess at once 10 are heard", guessedAtOnce},
		{"the right password is heard, however many give it at once", rightAtOnce},
		{"100 passwords are guessed from one address, for whatever accounts", guessedForMany},
		{"guesses from many addresses slow an account down and lock nobody out", guessedFromMany},
		{"a current password is guessed no more often than one to sign in", guessedCurrent},
		{"what was no guess is not counted", notGuessed},
		{"the hasher learns where an attempt comes from, and who signed in from there", knownOrigins},
		{"an attempt that the hasher has no room for costs nothing", noRoom},
		{"several replicas make one first admin", firstAdmin},
		{"a first admin is made only where there is none", firstAdminOnce},
		{"a first admin is not made beside another that came meanwhile", firstAdminMeanwhile},
		{"a list shows what its filter says, to admins alone", filtered},
		{"pages neither repeat nor hide while accounts come and go", paged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newBench(open(t)))
		})
	}
}

// bench is a store with every use case on it.
type bench struct {
	Fixture

	hasher   *hasher
	register *command.RegisterUserHandler
	update   *command.UpdateUserHandler
	delete   *command.DeleteUserHandler
	signIn   *command.SignInHandler
	change   *command.ChangePasswordHandler
	refresh  *command.RefreshSessionHandler
	signOut  *command.SignOutHandler
	end      *command.EndSessionHandler
	endAll   *command.EndSessionsHandler
	ensure   *command.EnsureAdminHandler
	replace  *command.ReplaceDrawnPasswordHandler
	byID     *query.UserByIDHandler
	list     *query.UsersHandler
	sessions *query.SessionsHandler
	at       time.Time
	root     principal.Principal // an admin by token, without an account
	request  context.Context     //nolint:containedctx // every test's: it carries the correlation ID of a request
}

const (
	requestID = "request-1"
	password  = "correct horse"
)

func newBench(f Fixture) *bench {
	b := &bench{
		Fixture: f,
		hasher:  &hasher{},
		at:      time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC),
		root:    principal.Principal{UserID: newID(), Role: principal.RoleAdmin},
		request: correlation.With(context.Background(), correlation.IDs{Correlation: requestID}),
	}
	b.on(f.Store)
	return b
}

// on sets the use cases on a store, without limits.
func (b *bench) on(store command.Store) { b.under(store, nil) }

// limited sets the use cases on a store that counts wrong passwords.
func (b *bench) limited() { b.under(b.Store, b.Limits(func() time.Time { return b.at })) }

func (b *bench) under(store command.Store, limits command.Limits) {
	now := func() time.Time { return b.at }
	store = marking{store}
	b.register = command.NewRegisterUserHandler(store, b.hasher, newID, now)
	guard := command.NewGuard(command.GuardConfig{Limits: limits, Known: store, Hasher: b.hasher, Key: []byte("key"), Now: now})
	b.update = command.NewUpdateUserHandler(store, b.hasher, guard, now)
	b.delete = command.NewDeleteUserHandler(store, now)
	granter := command.NewGranter(issuer{now}, rand.Reader, newID, now)
	b.signIn = command.NewSignInHandler(store, b.hasher, guard, granter)
	b.change = command.NewChangePasswordHandler(store, b.hasher, guard, now)
	b.refresh = command.NewRefreshSessionHandler(store, granter)
	b.signOut = command.NewSignOutHandler(store)
	b.end = command.NewEndSessionHandler(store)
	b.endAll = command.NewEndSessionsHandler(store)
	b.ensure = command.NewEnsureAdminHandler(store, b.hasher, newID, now)
	b.replace = command.NewReplaceDrawnPasswordHandler(store, b.hasher, now)
	b.byID = query.NewUserByIDHandler(b.Store)
	b.list = query.NewUsersHandler(b.Store)
	b.sessions = query.NewSessionsHandler(b.Store, now)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// inTransaction marks the ctx of a closure of Atomically.
type inTransaction struct{}

// marking marks the ctx of each closure, so that the hasher can tell where it is called.
type marking struct{ command.Store }

func (m marking) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	return m.Store.Atomically(ctx, func(ctx context.Context, tx command.Tx) error {
		return fn(context.WithValue(ctx, inTransaction{}, true), tx)
	})
}

// hasher counts what a real one would spend time on, and refuses to do so in a transaction.
type hasher struct {
	spent     atomic.Int64
	meanwhile func() // what happens during the next hash
	fails     error
	full      error        // what Room says
	from      atomic.Value // the last origin
}

var errInTransaction = errors.New("hashing inside a transaction")

func (h *hasher) Room(limit.Origin) error { return h.full }

func (h *hasher) Hash(ctx context.Context, from limit.Origin, password string) (string, error) {
	h.from.Store(from)
	if ctx.Value(inTransaction{}) != nil {
		return "", errInTransaction
	}
	if h.fails != nil {
		return "", h.fails
	}
	h.spent.Add(1)
	if h.meanwhile != nil {
		happens := h.meanwhile
		h.meanwhile = nil
		happens()
	}
	return "hash of " + password, nil
}

func (h *hasher) Verify(ctx context.Context, from limit.Origin, hash, password string) (bool, error) {
	wanted, err := h.Hash(ctx, from, password)
	return hash == wanted, err
}

// issuer writes what it was given into the token.
type issuer struct{ now func() time.Time }

func (i issuer) Issue(_ context.Context, p principal.Principal) (string, time.Time, error) {
	token := uuid.UUID(p.UserID).String() + " " + string(p.Role) + " " + p.Session
	if p.MustChangePassword {
		token += " must change"
	}
	return token, i.now().Add(15 * time.Minute), nil
}

func (b *bench) registered(t *testing.T, email string) user.User {
	t.Helper()
	u, err := b.register.Handle(b.request, command.RegisterUser{Email: email, Name: "Ada Lovelace", Password: password})
	require.NoError(t, err)
	return u
}

// admin registers an account and makes it an admin.
func (b *bench) admin(t *testing.T, email string) user.User {
	t.Helper()
	u := b.registered(t, email)
	role := principal.RoleAdmin
	u, err := b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: u.ID, Role: &role})
	require.NoError(t, err)
	return u
}

func caller(u user.User) principal.Principal { return principal.Principal{UserID: u.ID, Role: u.Role} }

func (b *bench) stored(t *testing.T, id uuid.UUID) user.User {
	t.Helper()
	u, err := b.byID.Handle(b.request, query.UserByID{Caller: b.root, ID: id})
	require.NoError(t, err)
	return u
}

// requireStored asks that the store holds u, and nothing else under its ID.
func (b *bench) requireStored(t *testing.T, u user.User) {
	t.Helper()
	require.Empty(t, cmp.Diff(u, b.stored(t, u.ID)))
}

// published gives the events of one account, and asks that they are numbered without a gap.
func (b *bench) published(t *testing.T, id uuid.UUID) (events []envelope.Envelope) {
	t.Helper()
	for _, e := range b.Published(t) {
		if e.Key == id.String() {
			events = append(events, e)
			require.EqualValues(t, len(events), e.Sequence)
		}
	}
	return events
}

func (b *bench) publishedTypes(t *testing.T, id uuid.UUID) (types []string) {
	t.Helper()
	for _, e := range b.published(t, id) {
		types = append(types, e.Type)
	}
	return types
}
