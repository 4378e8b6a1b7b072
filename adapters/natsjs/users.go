package natsjs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats-server/v2/server"
)

// EmbeddedUser is the user of an embedded server who may use all subjects.
const EmbeddedUser = "millrace"

// processUser is the user of this process's own connections. Its password is drawn at each start, and the server refuses it on a socket.
const processUser = "millrace.process"

// Users may connect to an embedded server from outside, each with the permissions that its file grants. The zero value has none.
type Users struct {
	users []*server.User
	nkeys []*server.NkeyUser
}

// Empty reports whether there is no user.
func (u Users) Empty() bool { return len(u.users) == 0 && len(u.nkeys) == 0 }

// Passwords returns the passwords of the users, by name. Hashed ones are left out: nobody can tell how good they are.
func (u Users) Passwords() map[string]string {
	passwords := make(map[string]string, len(u.users))
	for _, user := range u.users {
		if !strings.HasPrefix(user.Password, "$2") {
			passwords[user.Username] = user.Password
		}
	}
	return passwords
}

// beside are the settings that a nats-server's own file may have beside its users: they are the embedded server's to decide, and none of
// them lets anybody in or keeps anybody out.
var beside = []string{"server_name", "host", "port", "listen", "max_payload", "jetstream"}

// ReadUsers reads users from a file in the form of nats-server's configuration: `authorization { users = […] }`, as in deploy/nats.conf, or
// `users = […]` alone. Values may name environment variables. The error says where the file is wrong and repeats no password. A setting
// that would decide who may connect and has no effect here is an error.
func ReadUsers(file string) (Users, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator's own file
	if err != nil {
		return Users{}, err
	}
	content, err := conf.ParseFileWithChecks(file)
	if err != nil {
		return Users{}, fmt.Errorf("%s: %w", file, err)
	}
	alone := content["users"] != nil
	if err := checkSettings(content, alone); err != nil {
		return Users{}, fmt.Errorf("%s: %w", file, err)
	}
	var options server.Options
	if alone { // on the first line, so that the lines of errors are the file's
		err = options.ProcessConfigString("authorization { " + string(text) + "\n}")
	} else {
		err = options.ProcessConfigFile(file)
	}
	if err != nil {
		return Users{}, fmt.Errorf("%s: %s", file, strings.TrimSpace(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	users := Users{users: options.Users, nkeys: options.Nkeys}
	return users, users.check(file)
}

// token is a value of a parsed file.
type token interface {
	Value() any
	Line() int
	IsUsedVariable() bool
}

// checkSettings refuses what ReadUsers would pass over although it matters, and users that are no list. inner says that content is what
// stands within authorization.
func checkSettings(content map[string]any, inner bool) error {
	found := false
	for _, name := range slices.Sorted(maps.Keys(content)) {
		t, ok := content[name].(token)
		if !ok || t.IsUsedVariable() {
			continue
		}
		switch lower := strings.ToLower(name); {
		case lower == "users" && inner:
			found = true
			if _, list := t.Value().([]any); !list {
				return fmt.Errorf("line %d: users is no list: write users = [ {user: name, password: $VARIABLE, permissions {…}} ]", t.Line())
			}
		case lower == "authorization" && !inner:
			found = true
			within, _ := t.Value().(map[string]any)
			if err := checkSettings(within, true); err != nil {
				return fmt.Errorf("line %d: authorization: %w", t.Line(), err)
			}
		case lower == "default_permissions" && inner, slices.Contains(beside, lower) && !inner:
		default:
			return fmt.Errorf("line %d: %s has no effect on the embedded server: only users are read from this file", t.Line(), name)
		}
	}
	if !found {
		return errors.New("names no users: write authorization { users = [ … ] } as in deploy/nats.conf")
	}
	return nil
}

// check refuses users that would leave a door open, or share a name with one that the server has by itself.
func (u Users) check(file string) error {
	if u.Empty() {
		return fmt.Errorf("%s: names no users", file)
	}
	for _, user := range u.users {
		switch user.Username {
		case EmbeddedUser, processUser:
			return fmt.Errorf("%s: the user %s is Millrace's own: choose another name", file, user.Username)
		}
	}
	return nil
}

// withProcess returns the users of a server that listens, and the password of this process's own connections.
func (u Users) withProcess(password string) (users []*server.User, process string) {
	process = rand.Text()
	users = append(slices.Clone(u.users), &server.User{
		Username: processUser, Password: process, AllowedConnectionTypes: map[string]struct{}{jwt.ConnectionTypeInProcess: {}},
	})
	if password != "" {
		users = append(users, &server.User{Username: EmbeddedUser, Password: password})
	}
	return users, process
}
