package userhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
)

// Session is one sign-in as its user sees it: never with a token or its hash.
type Session struct {
	ID         string    `json:"id" format:"uuid"`
	CreatedAt  time.Time `json:"created_at" doc:"When one signed in"`
	LastUsedAt time.Time `json:"last_used_at" doc:"When tokens were given out last"`
	ExpiresAt  time.Time `json:"expires_at" doc:"When it is over unless it is refreshed"`
	Current    bool      `json:"current" doc:"Whether the access token of this request belongs to it"`
	UserAgent  string    `json:"user_agent" doc:"What the program called itself last"`
	Address    string    `json:"address" doc:"Where it was used from last"`
}

func (h routes) sessions(api huma.API) {
	rest.Register(api, unstored(huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/api/auth/sessions",
		Summary: "One's own sessions, newest first", Tags: []string{"auth"},
	}), h.listSessions)
	rest.Register(api, unstored(huma.Operation{
		OperationID: "end-session", Method: http.MethodDelete, Path: "/api/auth/sessions/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "End one of one's own sessions", Tags: []string{"auth"}, Errors: []int{http.StatusNotFound},
		Description: "It cannot be refreshed any more; its access token is good for at most 15 minutes. Another's is 404 `session_not_found`.",
	}), h.endSession)
	rest.Register(api, unstored(huma.Operation{
		OperationID: "end-sessions", Method: http.MethodDelete, Path: "/api/users/{id}/sessions", DefaultStatus: http.StatusNoContent,
		Summary: "End all sessions of a user, for that user and for admins", Tags: []string{"users"}, Errors: []int{http.StatusNotFound},
		Description: "The one of this request too. None can be refreshed any more; their access tokens are good for at most 15 minutes.",
	}), h.endSessions)
}

// unstored makes op need a sign-in, even one with a password that must be changed, and its answers stored by nobody.
func unstored(op huma.Operation) huma.Operation {
	return rest.Cached(rest.BeforePasswordChange(rest.SignedIn(op)), "no-store")
}

type sessionsOutput struct{ Body rest.Page[Session] }

func (h routes) listSessions(ctx context.Context, in *rest.PageInput) (*sessionsOutput, error) {
	caller := rest.Caller(ctx)
	list := rest.ListOf(ctx, "sessions")
	behind, err := rest.Behind[uuid.UUID](h.Cursors, list, in.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := h.Sessions.Handle(ctx, query.Sessions{Caller: caller, Behind: behind, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{}
	for _, s := range page.Sessions {
		out.Body.Items = append(out.Body.Items, sessionOf(s, caller.Session))
	}
	if page.Next != nil {
		out.Body.NextCursor = h.Cursors.Seal(list, *page.Next)
	}
	return out, nil
}

func sessionOf(s user.Session, current string) Session {
	return Session{
		ID: s.ID.String(), CreatedAt: s.CreatedAt, LastUsedAt: s.LastUsedAt, ExpiresAt: s.ExpiresAt, Current: s.ID.String() == current,
		UserAgent: s.Client.Agent, Address: s.Client.Address,
	}
}

func (h routes) endSession(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, h.EndSession.Handle(ctx, command.EndSession{Caller: rest.Caller(ctx), ID: in.ID})
}

func (h routes) endSessions(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, h.EndSessions.Handle(ctx, command.EndSessions{Caller: rest.Caller(ctx), UserID: in.ID})
}
