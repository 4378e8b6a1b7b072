// Package limit says how often something may be done.
package limit

import "time"

// Rule is a token bucket of Burst tokens which, once empty, is full again after Per. So Burst may be done at once, and then Burst in
// each Per.
type Rule struct {
	Burst int
	Per   time.Duration
}

// Cost is the time in which n tokens flow in.
func (r Rule) Cost(n int) time.Duration {
	return time.Duration(int64(r.Per) / int64(r.Burst) * int64(n))
}
