package main

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// user is an account of the load.
type user struct {
	id, email, token string
}

// order is an order that the load has placed.
type order struct {
	id    string
	owner *user
}

// maxOrders is the number of most recent orders that the load works on. It is small, so that clients contend for the same orders.
const maxOrders = 16

// loadState holds the users and orders that the clients of one round share. It is safe for concurrent use.
type loadState struct {
	mu     sync.Mutex
	users  []*user
	orders []order
}

// addUser adds a user who has signed in.
func (s *loadState) addUser(u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, u)
}

// removeRandomUser removes and returns a user, whom the caller then deletes. It returns nil if only three users are left.
func (s *loadState) removeRandomUser(random *rand.Rand) *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) <= 3 {
		return nil
	}
	i := random.IntN(len(s.users))
	removed := s.users[i]
	s.users = slices.Delete(s.users, i, i+1)
	return removed
}

// randomUser returns a random user.
func (s *loadState) randomUser(random *rand.Rand) *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[random.IntN(len(s.users))]
}

// addOrder adds an order and removes the oldest if there are more than maxOrders.
func (s *loadState) addOrder(o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, o)
	if len(s.orders) > maxOrders {
		s.orders = slices.Delete(s.orders, 0, 1)
	}
}

// randomOrder returns a random order, and false if there is none.
func (s *loadState) randomOrder(random *rand.Rand) (order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) == 0 {
		return order{}, false
	}
	return s.orders[random.IntN(len(s.orders))], true
}

// orderIDs returns the IDs of the orders that the load works on.
func (s *loadState) orderIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, o := range s.orders {
		ids = append(ids, o.id)
	}
	return ids
}

// userIDs returns the IDs of the users that the load works on.
func (s *loadState) userIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, u := range s.users {
		ids = append(ids, u.id)
	}
	return ids
}
