package usersql

import "github.com/millrace/millrace/adapters/sqldb"

// Expiring are the sessions that are over, what is left of their refresh tokens, and from where users signed in long ago.
var Expiring = []sqldb.Expiring{
	{Table: "sessions", ID: "id", Time: "expires_at", Index: "sessions_expiry"},
	{Table: "refresh_tokens", ID: "hash", Time: "expires_at", Index: "refresh_tokens_expiry"},
	{Table: "sign_in_addresses", ID: "mark", Time: "expires_at", Index: "sign_in_addresses_expiry"},
}
