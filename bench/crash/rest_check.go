package main

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/bench/cluster"
)

// sampleSize is the number of orders that checkREST compares.
const sampleSize = 30

// checkREST compares the REST API with the databases: the poison queue must be empty, and a sample of orders and their events must be
// the same.
func checkREST(ctx context.Context, t *crashTest, observed observedState, f *findings) {
	token, err := signIn(ctx, t.client, t.system.replicasOf("user")[0].URL, cluster.AdminEmail, cluster.AdminPassword)
	if err != nil {
		f.addOther("the admin cannot sign in: %v", err)
		return
	}
	get := func(service, path string) responseBody {
		replicas := t.system.replicasOf(service)
		res := t.client.do(ctx, request{
			method: http.MethodGet, url: replicas[len(replicas)-1].URL + path, token: token, correlationID: "check",
		})
		if res.err != nil {
			f.addOther("GET %s: %v", path, res.err)
		}
		return res.body
	}
	if n := len(get("event", "/api/poison").Items); n > 0 {
		f.addOther("GET /api/poison returned %d messages", n)
	}
	remaining := sampleSize
	for id, row := range observed.orders {
		if remaining--; remaining < 0 {
			break
		}
		if got := get("order", "/api/orders/"+id); got.Status != row.status || got.Version != row.version {
			f.addOther("GET /api/orders/%s returned status %s, version %d; the database has %s, %d",
				id, got.Status, got.Version, row.status, row.version)
		}
		if got := get("event", "/api/events?limit=200&key="+id); int64(len(got.Items)) != min(row.sequence, 200) {
			f.addOther("GET /api/events?key=%s returned %d of %d events", id, len(got.Items), row.sequence)
		}
	}
}
