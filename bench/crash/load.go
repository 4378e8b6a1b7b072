package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// password is the password of every user.
const password = "correct horse battery staple"

// load runs the clients of one round.
type load struct {
	system   *system
	client   *client
	requests *requestLog
	state    *loadState
	round    int
	lastID   atomic.Int64
}

// prepare creates the first users of the round. It runs before any fault, so it must succeed.
func (l *load) prepare(ctx context.Context, random *rand.Rand) error {
	for range 6 {
		if err := l.createUser(ctx, random); err != nil {
			return fmt.Errorf("create a user: %w", err)
		}
	}
	return nil
}

// run runs all clients until ctx is done, and returns when their last requests have ended.
func (l *load) run(ctx context.Context, o options) {
	var clients sync.WaitGroup
	for i := range o.workers {
		clients.Go(func() { l.runClient(ctx, o.newRand(uint64(randClients+i), l.round)) })
	}
	clients.Wait()
}

// runClient sends requests until ctx is done. It does not cancel a request that is in flight then, so that the load does not drop just
// before the round ends.
func (l *load) runClient(ctx context.Context, random *rand.Rand) {
	requestCtx := context.WithoutCancel(ctx)
	for cluster.Sleep(ctx, time.Duration(random.IntN(30))*time.Millisecond) {
		switch n := random.IntN(1000); {
		case n < 330:
			l.placeOrder(requestCtx, random)
		case n < 580:
			l.updateOrder(requestCtx, random, 1)
		case n < 680:
			l.updateOrder(requestCtx, random, 4)
		case n < 830:
			l.changeOrder(requestCtx, random, cancelOrder, request{
				method: http.MethodPost, url: "/cancel", body: map[string]any{"reason": "changed my mind"},
			})
		case n < 900:
			l.changeOrder(requestCtx, random, deleteOrder, request{method: http.MethodDelete})
		case n < 980:
			l.updateUser(requestCtx, random)
		case n < 992:
			_ = l.createUser(requestCtx, random) // the request log has the outcome
		default:
			l.deleteUser(requestCtx, random)
		}
	}
}

// send records a request, sends it once to a replica of the service, and records the response.
func (l *load) send(ctx context.Context, random *rand.Rand, service string, record requestRecord, r request) (response, outcome) {
	r.correlationID = record.id
	l.requests.begin(record)
	target := l.pickReplica(random, service)
	r.url = target.URL + r.url
	res := l.client.do(ctx, r)
	if res.status == 0 {
		target.lastFailure.Store(time.Now().UnixNano())
	}
	if res.unsent || res.status >= 500 { // back off, to not send a thousand requests per second to a server that is down
		cluster.Sleep(ctx, time.Duration(50+random.IntN(150))*time.Millisecond)
	}
	return res, l.requests.complete(record.id, res)
}

// pickReplica returns a random replica. As a load balancer does, it seldom picks one that failed to respond in the last 3 seconds: that
// replica may be paused, and most clients would wait for it.
func (l *load) pickReplica(random *rand.Rand, service string) *replica {
	replicas := l.system.replicasOf(service)
	r := replicas[random.IntN(len(replicas))]
	if time.Since(time.Unix(0, r.lastFailure.Load())) < 3*time.Second && random.IntN(20) > 0 {
		r = replicas[(slices.Index(replicas, r)+1)%len(replicas)]
	}
	return r
}

// newID returns a unique correlation ID.
func (l *load) newID(op operation) string {
	return fmt.Sprintf("r%d-%s-%d", l.round, op, l.lastID.Add(1))
}

// randomItems returns the items of an order. Each version of an order has other ones.
func randomItems(id string, random *rand.Rand) []map[string]any {
	return []map[string]any{{"sku": id, "quantity": 1 + random.IntN(9), "unit_price": random.IntN(10_000)}}
}

func (l *load) placeOrder(ctx context.Context, random *rand.Rand) {
	owner, id := l.state.randomUser(random), l.newID(placeOrder)
	res, outcome := l.send(ctx, random, "order", requestRecord{id: id, operation: placeOrder, userID: owner.id}, request{
		method: http.MethodPost, url: "/api/orders", token: owner.token,
		body: map[string]any{"items": randomItems(id, random), "currency": "EUR"},
	})
	if outcome == acknowledged {
		l.state.addOrder(order{res.body.ID, owner})
	}
}

// updateOrder updates one order from several clients at the same time.
func (l *load) updateOrder(ctx context.Context, random *rand.Rand, clients int) {
	o, ok := l.state.randomOrder(random)
	if !ok {
		return
	}
	var all sync.WaitGroup
	for range clients {
		clientRandom := rand.New(rand.NewPCG(random.Uint64(), 0))
		all.Go(func() {
			id := l.newID(updateOrder)
			record := requestRecord{id: id, operation: updateOrder, key: o.id, userID: o.owner.id}
			l.send(ctx, clientRandom, "order", record, request{
				method: http.MethodPut, url: "/api/orders/" + o.id, token: o.owner.token,
				body: map[string]any{"items": randomItems(id, clientRandom)},
			})
		})
	}
	all.Wait()
}

// changeOrder sends r for a random order. The URL of r is relative to the order's.
func (l *load) changeOrder(ctx context.Context, random *rand.Rand, op operation, r request) {
	o, ok := l.state.randomOrder(random)
	if !ok {
		return
	}
	r.url, r.token = "/api/orders/"+o.id+r.url, o.owner.token
	l.send(ctx, random, "order", requestRecord{id: l.newID(op), operation: op, key: o.id, userID: o.owner.id}, r)
}

// createUser creates a user and signs in.
func (l *load) createUser(ctx context.Context, random *rand.Rand) error {
	id := l.newID(createUser)
	email := id + "@example.com"
	res, outcome := l.send(ctx, random, "user", requestRecord{id: id, operation: createUser}, request{
		method: http.MethodPost, url: "/api/users", body: map[string]any{"email": email, "name": "Ada", "password": password},
	})
	if outcome != acknowledged {
		return res.err
	}
	token, err := signIn(ctx, l.client, l.system.replicasOf("user")[0].URL, email, password)
	if err == nil {
		l.state.addUser(&user{id: res.body.ID, email: email, token: token})
	}
	return err
}

// signIn returns an access token.
func signIn(ctx context.Context, c *client, url, email, password string) (string, error) {
	res := c.do(ctx, request{
		method: http.MethodPost, url: url + "/api/auth/login", correlationID: "sign-in",
		body: map[string]any{"email": email, "password": password},
	})
	return res.body.AccessToken, res.err
}

func (l *load) updateUser(ctx context.Context, random *rand.Rand) {
	u, id := l.state.randomUser(random), l.newID(updateUser)
	l.send(ctx, random, "user", requestRecord{id: id, operation: updateUser, key: u.id, userID: u.id}, request{
		method: http.MethodPut, url: "/api/users/" + u.id, token: u.token, body: map[string]any{"name": "Ada " + id},
	})
}

// deleteUser deletes a user while other clients change the user's orders.
func (l *load) deleteUser(ctx context.Context, random *rand.Rand) {
	if u := l.state.removeRandomUser(random); u != nil {
		l.send(ctx, random, "user", requestRecord{id: l.newID(deleteUser), operation: deleteUser, key: u.id, userID: u.id},
			request{method: http.MethodDelete, url: "/api/users/" + u.id, token: u.token})
	}
}
