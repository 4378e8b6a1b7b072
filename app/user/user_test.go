package user_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

var (
	id = uuid.MustParse("0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98")
	at = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
)

func registered(t *testing.T) user.User {
	t.Helper()
	applicant, err := user.Apply("Ada@Example.com", " Ada ", "correct horse")
	require.NoError(t, err)
	u, _ := applicant.Register(id, "hash", principal.RoleUser, at)
	return u
}

func locations(t *testing.T, err error) (locations []string) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok)
	require.Equal(t, fault.Invalid, e.Kind)
	for _, f := range e.Fields {
		locations = append(locations, f.Location)
	}
	return locations
}

func TestRegister(t *testing.T) {
	t.Parallel()
	applicant, err := user.Apply("Ada@Example.com", " Ada ", "correct horse")
	require.NoError(t, err)
	require.Equal(t, "correct horse", applicant.Password())
	u, created := applicant.Register(id, "hash", principal.RoleUser, at)
	moment := time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	require.Equal(t, user.User{
		ID: id, Email: "ada@example.com", Name: "Ada", PasswordHash: "hash", Role: principal.RoleUser,
		Version: 1, Sequence: 1, CreatedAt: moment, UpdatedAt: moment,
	}, u)
	require.Equal(t, contract.UserCreated{User: contract.User{
		ID: id.String(), Role: "user", Version: 1, CreatedAt: moment, UpdatedAt: moment,
	}}, created)
}

func TestApplyNamesEveryBrokenRule(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ß", 200)
	for name, c := range map[string]struct {
		email, name, password string
		want                  []string
	}{
		"all at once":              {"ada", "", "short", []string{"body.email", "body.name", "body.password"}},
		"the shortest password":    {"a@b", "A", "12 mills", nil},
		"a shorter password":       {"a@b", "A", "1234567", []string{"body.password"}},
		"a password of 7 letters":  {"a@b", "A", "ßßßßßßß", []string{"body.password"}},
		"the longest password":     {"a@b", "A", strings.Repeat("ß", 128), nil},
		"a longer password":        {"a@b", "A", strings.Repeat("x", 129), []string{"body.password"}},
		"a password with spaces":   {"a@b", "A", "   8   8", nil},
		"the longest name":         {"a@b", long, "12 mills", nil},
		"a longer name":            {"a@b", long + "x", "12 mills", []string{"body.name"}},
		"a name of white space":    {"a@b", " \t\n", "12 mills", []string{"body.name"}},
		"a name with a line end":   {"a@b", "Ada\nLovelace", "12 mills", []string{"body.name"}},
		"a name with an escape":    {"a@b", "Ada\x1b[2J", "12 mills", []string{"body.name"}},
		"a name with a line break": {"a@b", "Ada\u2028Lovelace", "12 mills", []string{"body.name"}},
		"a name turned around":     {"a@b", "Ada\u202ecalevoL", "12 mills", []string{"body.name"}},
		"an isolated name":         {"a@b", "\u2067Ada\u2069", "12 mills", []string{"body.name"}},
		"a direction mark":         {"a@b", "Ada\u200f", "12 mills", []string{"body.name"}},
		"a zero-width space":       {"a@b", "Ada\u200bLovelace", "12 mills", []string{"body.name"}},
		"a byte order mark":        {"a@b", "\ufeffAda", "12 mills", []string{"body.name"}},
		"a soft hyphen":            {"a@b", "Ada Love\u00adlace", "12 mills", []string{"body.name"}},
		"a tag":                    {"a@b", "Ada\U000e0041", "12 mills", []string{"body.name"}},
		"a filler for a name":      {"a@b", "\u3164", "12 mills", []string{"body.name"}},
		"a joiner at the begin":    {"a@b", "\u200dAda", "12 mills", []string{"body.name"}},
		"a joiner at the end":      {"a@b", "Ada\u200c", "12 mills", []string{"body.name"}},
		"a joiner behind a space":  {"a@b", "Ada \u200dLovelace", "12 mills", []string{"body.name"}},
		"a joiner before a space":  {"a@b", "Ada\u200d Lovelace", "12 mills", []string{"body.name"}},
		"two joiners":              {"a@b", "Ada\u200c\u200dLovelace", "12 mills", []string{"body.name"}},
		"a Persian name":           {"a@b", "مهر\u200cداد", "12 mills", nil},
		"a no-break space":         {"a@b", "Ada\u00a0Lovelace", "12 mills", nil},
		"a name of another script": {"a@b", "Ἀριστοτέλης 亚里士多德 👩‍🔬", "12 mills", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := user.Apply(c.email, c.name, c.password)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.want, locations(t, err))
			if len(c.password) > 0 {
				require.NotContains(t, err.Error(), c.password)
			}
		})
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	u := registered(t)
	email, name, role := "ADA@new.example", "Augusta", principal.RoleOperator
	later := at.Add(time.Hour)
	event, err := u.Change(user.Change{Email: &email, Name: &name, Role: &role}, later)
	require.NoError(t, err)
	require.Equal(t, "ada@new.example", u.Email)
	require.Equal(t, "Augusta", u.Name)
	require.EqualValues(t, 2, u.Version)
	require.EqualValues(t, 2, u.Sequence)
	require.Equal(t, contract.UserUpdated{User: contract.User{
		ID: id.String(), Role: "operator", Version: 2, CreatedAt: u.CreatedAt, UpdatedAt: later.UTC().Truncate(time.Microsecond),
	}}, event)

	gone := u.Delete(later)
	require.EqualValues(t, 3, u.Sequence)
	require.Equal(t, contract.TypeUserDeleted, gone.Type())
}

func TestChangeThatIsNone(t *testing.T) {
	t.Parallel()
	bad, empty, king := "no address", " ", principal.Role("king")
	email, name, role := " ADA@example.com", "Ada ", principal.RoleUser
	for what, c := range map[string]struct {
		change user.Change
		broken []string
	}{
		"empty":         {user.Change{}, nil},
		"the same":      {user.Change{Email: &email, Name: &name, Role: &role}, nil},
		"broken values": {user.Change{Email: &bad, Name: &empty, Role: &king}, []string{"body.email", "body.name", "body.role"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			u := registered(t)
			event, err := u.Change(c.change, at.Add(time.Hour))
			require.Nil(t, event)
			require.Equal(t, registered(t), u)
			if c.broken == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.broken, locations(t, err))
		})
	}
}

func TestLastAdminIsSpared(t *testing.T) {
	t.Parallel()
	other := uuid.New()
	for name, c := range map[string]struct {
		admins user.Admins
		err    error
	}{
		"nobody is an admin":      {nil, nil},
		"the only one":            {user.Admins{id}, user.ErrLastAdmin},
		"one of two":              {user.Admins{id, other}, nil},
		"another is the only one": {user.Admins{other}, nil},
	} {
		require.Equal(t, c.err, c.admins.Spare(id), name)
	}
	admin, plain := principal.RoleAdmin, principal.RoleUser
	require.True(t, user.Change{Role: &plain}.Demotes(user.User{Role: admin}))
	require.False(t, user.Change{Role: &admin}.Demotes(user.User{Role: admin}))
	require.False(t, user.Change{}.Demotes(user.User{Role: admin}))
	require.False(t, user.Change{Role: &plain}.Demotes(user.User{Role: principal.RoleOperator}))
}
