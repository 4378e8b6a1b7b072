package rest

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/principal"
)

// Access says what the bearer of a good token may do now: rights may have changed since it was issued. The error is of kind Unauthenticated
// if the user is gone.
type Access interface {
	Check(p principal.Principal) (principal.Principal, error)
}

// Service is what one service brings to the edge of its operations. Services share nothing, even in one process: each asks its own
// database.
type Service struct {
	// Access knows whose rights changed lately; nil takes each token at its word.
	Access Access
	// Limits keeps count of what is limited; nil limits no caller.
	Limits Limits
	// Secret keys the hashes by which a request with an idempotency key is recognised; the same for all replicas.
	Secret []byte
}

// ForService gives api as s registers its operations on it.
func ForService(api huma.API, s Service) huma.API {
	return serviceAPI{API: api, guards: guards{
		access: s.Access, writes: newWrites(s.Limits), weights: newWeights(s.Limits), reads: newReads(s.Limits != nil),
		limits: s.Limits, secret: s.Secret,
	}}
}

// serviceAPI is an API whose operations are one service's.
type serviceAPI struct {
	huma.API

	guards guards
}

// guards are what stands before each operation of a service.
type guards struct {
	access          Access // nil where tokens are taken at their word
	writes, weights *meter // nil where nothing is limited
	reads           *reads // nil where nothing is bounded
	limits          Limits
	secret          []byte
}

// guardsOf gives the guards of the service that registers on api, none if api belongs to no service.
func guardsOf(api huma.API) guards {
	if s, ok := api.(serviceAPI); ok {
		return s.guards
	}
	return guards{}
}
