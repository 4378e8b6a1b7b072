package event

import (
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

// UserChange is a change of an account, as an event of the user service tells of it: older access tokens no longer say what is true.
type UserChange struct {
	User    contract.User
	Deleted bool
}

// UserChangeOf reads the change from r. ok is false for every other event, for one that cannot be read or whose key is another user's,
// and for one that claims what its subject does not allow: the history records these, and nobody's rights change.
func UserChangeOf(r Record) (change UserChange, ok bool) {
	changed := r.Type == contract.TypeUserUpdated || r.Type == contract.TypeUserDeleted
	if !changed || r.Metadata[MetaMismatch] != "" || r.Source != contract.SourceUser {
		return UserChange{}, false
	}
	event, err := contract.Decode[contract.UserUpdated](envelope.Envelope{Data: r.Data})
	if err != nil || event.Key() != r.Key {
		return UserChange{}, false
	}
	if _, err := uuid.Parse(event.ID); err != nil {
		return UserChange{}, false
	}
	return UserChange{User: event.User, Deleted: r.Type == contract.TypeUserDeleted}, true
}
