package userhttp

import (
	"encoding/json"
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
)

var (
	exampleTime    = time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	exampleAccount = Account{
		ID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Email: "ada@example.com", Name: "Ada", Role: principal.RoleUser, Version: 1,
		CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}
	exampleTokens = tokens{ //nolint:gosec // signs nobody in
		AccessToken: exampleToken, TokenType: "Bearer", ExpiresIn: 900, RefreshToken: "cnNjU1h0bVJ6b1c4c3J6cTN2bkFqd0x5b2dTYVhjQ2Q",
	}
	exampleSession = Session{
		ID: "0195a1f2-66a0-7d11-b0d4-3f1c9a7e5b20", CreatedAt: exampleTime, LastUsedAt: exampleTime,
		ExpiresAt: exampleTime.Add(14 * 24 * time.Hour), Current: true, UserAgent: "curl/8.5.0", Address: "192.0.2.1",
	}
)

const (
	examplePassword = "correct horse battery staple"
	exampleToken    = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIwMTk1YTFmMCJ9.c2lnbmF0dXJl" //nolint:gosec // signs nobody in
	exampleKeys     = `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k1",` +
		`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
)

// errBusy is how the hasher refuses; it is no part of this package, and its words are.
var errBusy = fault.New(fault.Unavailable, "busy", "Too many sign-ins at this moment; try again shortly.")

// described is what the OpenAPI document says of the operations, by their IDs.
func described() rest.Descriptions {
	return rest.Descriptions{
		Tags: map[string]string{
			"users": "Accounts, each for its user and for admins. Another's account is 404, as if it were not there.",
			"auth":  "Signing in, sessions, and the keys that check access tokens.",
		},
		Operations: describedOperations(),
	}
}

func describedOperations() map[string]rest.Description {
	return map[string]rest.Description{
		"register-user": {
			Text: "Anyone may. The role is `user`; an admin gives another. The e-mail address is compared without case. " +
				"The event is `user.created.v1`.",
			Problems: []*fault.Error{user.ErrEmailTaken, errBusy},
			Request:  map[string]string{"email": "ada@example.com", "name": "Ada", "password": examplePassword},
			Answer:   exampleAccount,
		},
		"get-me": {
			Text: "With its version as `ETag`.", Problems: []*fault.Error{user.ErrNotFound}, Answer: exampleAccount,
		},
		"get-user": {
			Text: "With its version as `ETag`.", Problems: []*fault.Error{user.ErrNotFound}, Answer: exampleAccount,
		},
		"list-users": {
			Text: "For admins.", Problems: []*fault.Error{query.ErrForbidden},
			Answer: rest.Page[Account]{Items: []Account{exampleAccount}, NextCursor: "ZGtY0nLX3T0vYw8dTqZkq1siMDE5NWExZjAi"},
		},
		"update-user": {
			Text: "One's own new e-mail address needs `current_password`; `role` is for admins. The event is `user.updated.v1`; " +
				"none where nothing changes.",
			Problems: []*fault.Error{
				user.ErrRole, user.ErrNotFound, user.ErrEmailTaken, user.ErrLastAdmin, user.ErrChanged, user.ErrWrongPassword,
				user.ErrTooManyAttempts, errBusy,
			},
			Request: map[string]string{"name": "Ada Lovelace"},
			Answer:  exampleAccount,
		},
		"change-password": {
			Problems: []*fault.Error{
				user.ErrWrongPassword, user.ErrPasswordForbidden, user.ErrNotFound, user.ErrChanged, user.ErrSamePassword,
				user.ErrTooManyAttempts, errBusy,
			},
			Request: map[string]string{"current_password": examplePassword, "new_password": "gristmill by the river"},
		},
		"delete-user": {
			Text: "What is personal is erased, tokens end within seconds, and the order service cancels what is still placed. " +
				"The event is `user.deleted.v1`.",
			Problems: []*fault.Error{user.ErrNotFound, user.ErrLastAdmin, user.ErrChanged},
		},
		"sign-in": {
			Problems: []*fault.Error{user.ErrSignIn, user.ErrTooManyAttempts, errBusy},
			Request:  map[string]string{"email": "ada@example.com", "password": examplePassword},
			Answer:   exampleTokens,
		},
		"refresh": {
			Problems: []*fault.Error{user.ErrRefreshToken},
			Request:  map[string]string{"refresh_token": exampleTokens.RefreshToken}, Answer: exampleTokens,
		},
		"sign-out":      {Request: map[string]string{"refresh_token": exampleTokens.RefreshToken}},
		"list-sessions": {Text: "Also for one whose password must be changed.", Answer: rest.Page[Session]{Items: []Session{exampleSession}}},
		"end-session":   {Problems: []*fault.Error{user.ErrSessionNotFound}},
		"end-sessions":  {Problems: []*fault.Error{user.ErrNotFound}},
		"get-keys": {
			Text:   "A JSON Web Key Set (RFC 7517). A key is here before it signs and as long as a token of it may be used.",
			Answer: json.RawMessage(exampleKeys),
		},
	}
}
