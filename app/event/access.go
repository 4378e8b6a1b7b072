package event

import (
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
)

// UserChange is what an event of the user service says of an account: whose access tokens are no longer what they were.
type UserChange struct {
	User    contract.User
	Deleted bool
}

// UserChangeOf reads r. ok is false for every other event, and for one that cannot be read or speaks of another user than its key
// does, or claims to be what its subject does not allow: the history takes it, nobody's rights change by it.
func UserChangeOf(r Record) (change UserChange, ok bool) {
	changed := r.Type == contract.TypeUserUpdated || r.Type == contract.TypeUserDeleted
	if !changed || r.Metadata[MetaMismatch] != "" || r.Source != contract.SourceUser {
		return UserChange{}, false
	}
	event, err := contract.Decode[contract.UserUpdated](contract.Envelope{Data: r.Data})
	if err != nil || event.Key() != r.Key {
		return UserChange{}, false
	}
	if _, err := uuid.Parse(event.ID); err != nil {
		return UserChange{}, false
	}
	return UserChange{User: event.User, Deleted: r.Type == contract.TypeUserDeleted}, true
}
