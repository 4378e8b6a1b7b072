package main

import "net/http"

// checkRejections checks that each rejected request had a reason. A 401, 403 or 404 is correct only if somebody asked to delete the
// order or the user; otherwise it shows that the order or the account was lost.
func (v *verifier) checkRejections() {
	deleted := map[string]bool{} // orders and users whose deletion may have had an effect
	for _, r := range v.requests {
		if (r.operation == deleteOrder || r.operation == deleteUser) && r.outcome != rejected {
			deleted[r.key] = true
		}
	}
	for _, r := range v.requests {
		if r.outcome != rejected || r.status == 0 {
			continue
		}
		switch r.status {
		case http.StatusConflict, http.StatusServiceUnavailable:
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			if !deleted[r.key] && !deleted[r.userID] {
				v.addOther("%s of %s by user %s was rejected with %d, but neither was deleted", r.id, r.key, r.userID, r.status)
			}
		default:
			v.addOther("%s of %s was rejected with %d", r.id, r.key, r.status)
		}
	}
}
