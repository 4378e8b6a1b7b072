package main

import "net/http"

// checkRefusals asks of each refused request whether there was a reason. An order that is suddenly unknown, or a customer who may
// suddenly not sign for it, would otherwise pass for an ordinary conflict.
func (v *verifier) checkRefusals() {
	gone := map[string]bool{} // orders and accounts that somebody asked to delete
	for _, d := range v.deeds {
		if (d.act == discard || d.act == leave) && d.outcome != refused {
			gone[d.key] = true
		}
	}
	for _, d := range v.deeds {
		if d.outcome != refused || d.status == 0 {
			continue
		}
		switch d.status {
		case http.StatusConflict, http.StatusServiceUnavailable:
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			if !gone[d.key] && !gone[d.by] {
				v.addOther("%s of %s by %s was refused with %d, and nobody had deleted it", d.id, d.key, d.by, d.status)
			}
		default:
			v.addOther("%s of %s was refused with %d", d.id, d.key, d.status)
		}
	}
}
