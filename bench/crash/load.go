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

// password is every customer's.
const password = "correct horse battery staple"

// load is the clients of one round.
type load struct {
	system *system
	client *client
	ledger *ledger
	shop   *shop
	round  int
	serial atomic.Int64
}

// prepare registers the round's first customers. Nothing is being killed yet, so a failure here is one.
func (l *load) prepare(ctx context.Context, random *rand.Rand) error {
	for range 6 {
		if err := l.register(ctx, random); err != nil {
			return fmt.Errorf("register: %w", err)
		}
	}
	return nil
}

// run works until ctx ends and returns when the last answer has come.
func (l *load) run(ctx context.Context, o options) {
	var clients sync.WaitGroup
	for i := range o.workers {
		clients.Go(func() { l.work(ctx, o.random(uint64(100+i), l.round)) })
	}
	clients.Wait()
}

// work is one client. Requests in flight are not broken off when the round ends, or the load would be at its quietest then.
func (l *load) work(ctx context.Context, random *rand.Rand) {
	calls := context.WithoutCancel(ctx)
	for cluster.Sleep(ctx, time.Duration(random.IntN(30))*time.Millisecond) {
		switch n := random.IntN(1000); {
		case n < 330:
			l.place(calls, random)
		case n < 580:
			l.update(calls, random, 1)
		case n < 680:
			l.update(calls, random, 4)
		case n < 830:
			l.onPurchase(calls, random, cancel, http.MethodPost, "/cancel", map[string]any{"reason": "changed my mind"})
		case n < 900:
			l.onPurchase(calls, random, discard, http.MethodDelete, "", nil)
		case n < 980:
			l.rename(calls, random)
		case n < 992:
			_ = l.register(calls, random) // its failure is in the ledger
		default:
			l.leave(calls, random)
		}
	}
}

// send makes one request to some replica of a service, and the ledger knows of it before it is sent.
func (l *load) send(ctx context.Context, random *rand.Rand, service string, d deed, r request) (answer, outcome) {
	r.correlation = d.id
	l.ledger.begin(d)
	to := l.choose(random, service)
	r.url = to.URL + r.url
	a := l.client.do(ctx, r)
	if a.status == 0 {
		to.silent.Store(time.Now().UnixNano())
	}
	if a.unsent || a.status >= 500 { // ask again a little later, not a thousand times a second
		cluster.Sleep(ctx, time.Duration(50+random.IntN(150))*time.Millisecond)
	}
	return a, l.ledger.conclude(d.id, a)
}

// choose draws a replica as a load balancer does: one that did not answer lately gets few requests, for it may sleep, and clients
// that wait for it break nothing.
func (l *load) choose(random *rand.Rand, service string) *replica {
	replicas := l.system.of(service)
	r := replicas[random.IntN(len(replicas))]
	if time.Since(time.Unix(0, r.silent.Load())) < 3*time.Second && random.IntN(20) > 0 {
		r = replicas[(slices.Index(replicas, r)+1)%len(replicas)]
	}
	return r
}

// next gives a correlation ID: the round and a number.
func (l *load) next(a act) string { return fmt.Sprintf("r%d-%s-%d", l.round, a, l.serial.Add(1)) }

// items make each version of an order differ from every other.
func items(id string, random *rand.Rand) []map[string]any {
	return []map[string]any{{"sku": id, "quantity": 1 + random.IntN(9), "unit_price": random.IntN(10_000)}}
}

func (l *load) place(ctx context.Context, random *rand.Rand) {
	owner, id := l.shop.customer(random), l.next(place)
	a, what := l.send(ctx, random, "order", deed{id: id, act: place, by: owner.id}, request{
		method: http.MethodPost, url: "/api/orders", token: owner.token,
		body: map[string]any{"items": items(id, random), "currency": "EUR"},
	})
	if what == done {
		l.shop.keep(purchase{a.body.ID, owner})
	}
}

// update changes one order from several clients at once.
func (l *load) update(ctx context.Context, random *rand.Rand, clients int) {
	p, ok := l.shop.purchase(random)
	if !ok {
		return
	}
	var together sync.WaitGroup
	for range clients {
		own := rand.New(rand.NewPCG(random.Uint64(), 0))
		together.Go(func() {
			id := l.next(update)
			l.send(ctx, own, "order", deed{id: id, act: update, key: p.id, by: p.owner.id}, request{
				method: http.MethodPut, url: "/api/orders/" + p.id, token: p.owner.token,
				body: map[string]any{"items": items(id, own)},
			})
		})
	}
	together.Wait()
}

func (l *load) onPurchase(ctx context.Context, random *rand.Rand, a act, method, path string, content any) {
	if p, ok := l.shop.purchase(random); ok {
		l.send(ctx, random, "order", deed{id: l.next(a), act: a, key: p.id, by: p.owner.id},
			request{method: method, url: "/api/orders/" + p.id + path, token: p.owner.token, body: content})
	}
}

// register makes an account and signs in.
func (l *load) register(ctx context.Context, random *rand.Rand) error {
	id := l.next(register)
	email := id + "@example.com"
	a, what := l.send(ctx, random, "user", deed{id: id, act: register}, request{
		method: http.MethodPost, url: "/api/users", body: map[string]any{"email": email, "name": "Ada", "password": password},
	})
	if what != done {
		return a.err
	}
	token, err := signIn(ctx, l.client, l.system.of("user")[0].URL, email, password)
	if err == nil {
		l.shop.admit(&customer{id: a.body.ID, email: email, token: token})
	}
	return err
}

// signIn gives an access token.
func signIn(ctx context.Context, c *client, url, email, password string) (string, error) {
	a := c.do(ctx, request{
		method: http.MethodPost, url: url + "/api/auth/login", correlation: "sign-in",
		body: map[string]any{"email": email, "password": password},
	})
	return a.body.AccessToken, a.err
}

func (l *load) rename(ctx context.Context, random *rand.Rand) {
	c, id := l.shop.customer(random), l.next(rename)
	l.send(ctx, random, "user", deed{id: id, act: rename, key: c.id, by: c.id}, request{
		method: http.MethodPut, url: "/api/users/" + c.id, token: c.token, body: map[string]any{"name": "Ada " + id},
	})
}

// leave deletes an account while its orders are worked on.
func (l *load) leave(ctx context.Context, random *rand.Rand) {
	if c := l.shop.dismiss(random); c != nil {
		l.send(ctx, random, "user", deed{id: l.next(leave), act: leave, key: c.id, by: c.id},
			request{method: http.MethodDelete, url: "/api/users/" + c.id, token: c.token})
	}
}
