package limit

// Origin is where a costly request comes from. Whoever serves such requests serves origins fairly, so that no network is slowed by what
// another asks for.
type Origin struct {
	Network string // what is limited as one address: an IPv4 address or the /64 of an IPv6 address, as a prefix
	Known   bool   // the account was signed in to from there before, or the caller is signed in
}
