package main

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/bench/cluster"
)

// sampled is how many orders are compared over HTTP.
const sampled = 30

// checkFront asks the REST API, as a client would, for what was read from the tables: an empty poison queue, orders, and their
// events.
func checkFront(ctx context.Context, t *trial, e evidence, f *findings) {
	token, err := signIn(ctx, t.client, t.system.of("user")[0].URL, cluster.AdminEmail, cluster.AdminPassword)
	if err != nil {
		f.addOther("the admin cannot sign in: %v", err)
		return
	}
	get := func(service, path string) body {
		replicas := t.system.of(service)
		a := t.client.do(ctx, request{
			method: http.MethodGet, url: replicas[len(replicas)-1].URL + path, token: token, correlation: "check",
		})
		if a.err != nil {
			f.addOther("GET %s: %v", path, a.err)
		}
		return a.body
	}
	if n := len(get("event", "/api/poison").Items); n > 0 {
		f.addOther("GET /api/poison lists %d", n)
	}
	left := sampled
	for id, r := range e.orders {
		if left--; left < 0 {
			break
		}
		if got := get("order", "/api/orders/"+id); got.Status != r.status || got.Version != r.version {
			f.addOther("GET /api/orders/%s says %s, version %d; its row says %s, %d", id, got.Status, got.Version, r.status, r.version)
		}
		if got := get("event", "/api/events?limit=200&key="+id); int64(len(got.Items)) != min(r.sequence, 200) {
			f.addOther("GET /api/events?key=%s lists %d events of %d", id, len(got.Items), r.sequence)
		}
	}
}
