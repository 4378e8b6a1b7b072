package order

// Status is where an order stands.
type Status string

// The statuses.
const (
	Placed    Status = "placed"
	Cancelled Status = "cancelled"
)

// moves are all ways from one status to another.
var moves = map[Status]Status{Placed: Cancelled}

// Statuses are all statuses, in the order in which an order may pass through them.
func Statuses() []Status { return []Status{Placed, Cancelled} }

// Valid reports whether s is a status.
func (s Status) Valid() bool { return s == Placed || s == Cancelled }

// Becomes reports whether an order may go from s to next.
func (s Status) Becomes(next Status) bool { return moves[s] == next && next != "" }
