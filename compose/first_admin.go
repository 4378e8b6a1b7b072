package compose

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/millrace/millrace/app/user/command"
)

// FirstAdmin is who can sign in before anybody has registered.
type FirstAdmin struct {
	platform Platform
	ensure   *command.EnsureAdminHandler
	replace  *command.ReplaceDrawnPasswordHandler
}

// NewFirstAdmin returns what makes the first admin.
func NewFirstAdmin(p Platform, ensure *command.EnsureAdminHandler, replace *command.ReplaceDrawnPasswordHandler) FirstAdmin {
	return FirstAdmin{p, ensure, replace}
}

// prepare makes the first admin at the first start. A password that nobody chose is drawn and printed once; if that was lost, a later start
// with a chosen one replaces it.
func (a FirstAdmin) prepare(ctx context.Context) error {
	email, password := a.platform.Config.AdminEmail, a.platform.Config.AdminPassword
	if password == "" {
		return a.draw(ctx, email)
	}
	made, err := a.ensure.Handle(ctx, command.EnsureAdmin{Email: email, Password: password})
	if err != nil {
		return err
	}
	if made {
		return a.tell("The first admin was made.\n  e-mail         %s\n  password       as in MILLRACE_ADMIN_PASSWORD\n", email)
	}
	replaced, err := a.replace.Handle(ctx, command.ReplaceDrawnPassword{Email: email, Password: password})
	if err != nil || !replaced {
		return err
	}
	return a.tell("The drawn password of %s was replaced by that in MILLRACE_ADMIN_PASSWORD.\n", email)
}

func (a FirstAdmin) draw(ctx context.Context, email string) error {
	password := rand.Text()
	made, err := a.ensure.Handle(ctx, command.EnsureAdmin{Email: email, Password: password, Drawn: true})
	if err != nil || !made {
		return err
	}
	return a.tell("The first admin was made.\n  e-mail         %s\n  password       %s\n"+
		"  Change it first: sign in with it, then PUT /api/users/{id}/password; everything else is refused until then.\n", email, password)
}

func (a FirstAdmin) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(a.platform.Out, format, args...)
	return err
}
