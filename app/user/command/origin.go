package command

// Origin is where a password that is to be hashed comes from. Whoever hashes serves origins fairly, so that no network is slowed by
// another's attempts.
type Origin struct {
	Network string // what is limited as one address: an IPv4 address or the /64 of an IPv6 address, as a prefix
	Known   bool   // the account was signed in to from there before, or the caller is signed in
}

// own is the origin of what the process does by itself.
var own = Origin{Known: true}
