package main

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// customer is an account of the load.
type customer struct {
	id, email, token string
}

// purchase is an order that the load knows of.
type purchase struct {
	id    string
	owner *customer
}

// shelf is how many of the newest orders the load works on: few, so that clients meet at the same ones.
const shelf = 16

// shop is what the clients of one round share.
type shop struct {
	mu        sync.Mutex
	customers []*customer
	purchases []purchase
}

// admit adds a customer who signed in.
func (s *shop) admit(c *customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.customers = append(s.customers, c)
}

// dismiss takes a customer away, before the account is deleted. It keeps the last three, and says no to that.
func (s *shop) dismiss(random *rand.Rand) *customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.customers) <= 3 {
		return nil
	}
	i := random.IntN(len(s.customers))
	gone := s.customers[i]
	s.customers = slices.Delete(s.customers, i, i+1)
	return gone
}

// customer draws one.
func (s *shop) customer(random *rand.Rand) *customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.customers[random.IntN(len(s.customers))]
}

// keep adds an order and lets go of the oldest.
func (s *shop) keep(p purchase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purchases = append(s.purchases, p)
	if len(s.purchases) > shelf {
		s.purchases = slices.Delete(s.purchases, 0, 1)
	}
}

// purchase draws an order.
func (s *shop) purchase(random *rand.Rand) (purchase, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.purchases) == 0 {
		return purchase{}, false
	}
	return s.purchases[random.IntN(len(s.purchases))], true
}

// hot gives the orders and customers that are worked on now, for the traps of sabotage.
func (s *shop) hot() (orders, customers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.purchases {
		orders = append(orders, p.id)
	}
	for _, c := range s.customers {
		customers = append(customers, c.id)
	}
	return orders, customers
}
