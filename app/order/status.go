package order

import "slices"

// Status is where an order stands.
type Status string

// The statuses.
const (
	Placed    Status = "placed"
	Cancelled Status = "cancelled"
)

// life is the state machine: the statuses, and where an order may go from each.
var life = map[Status][]Status{
	Placed:    {Cancelled},
	Cancelled: nil,
}

// Statuses are all statuses, in the order in which an order may pass through them.
func Statuses() []Status { return []Status{Placed, Cancelled} }

// Becomes reports whether an order may go from s to next.
func (s Status) Becomes(next Status) bool { return slices.Contains(life[s], next) }

// Final reports whether an order of status s stays as it is, until it is deleted.
func (s Status) Final() bool { return len(life[s]) == 0 }
