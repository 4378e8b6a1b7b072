package rest

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr gives the address that the request came from: the connection's, or what trusted proxies say it is. It is the zero Addr where
// the connection has none, as over a Unix socket.
func ClientAddr(ctx context.Context) netip.Addr {
	if x := exchangeFrom(ctx); x != nil {
		return x.client
	}
	return netip.Addr{}
}

// ipv6Site is the part of an IPv6 address that a provider assigns: behind it a customer has 2^64 addresses to choose from.
const ipv6Site = 64

// ClientNet gives what limits count as one address: an IPv4 address, or the /64 of an IPv6 address.
func ClientNet(ctx context.Context) netip.Prefix { return netOf(ClientAddr(ctx)) }

func netOf(addr netip.Addr) netip.Prefix {
	network, err := addr.Prefix(min(addr.BitLen(), ipv6Site))
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// clientOf reads X-Forwarded-For from the right, where the proxy next to us wrote, and moves left as long as the writer is trusted: anybody
// may have made up what stands further left.
func clientOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	if len(trusted) == 0 {
		return addr
	}
	entries := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, entry := range slices.Backward(entries) {
		if !within(addr, trusted) {
			return addr
		}
		before := parseAddr(strings.TrimSpace(entry))
		if !before.IsValid() { // the proxy did not know, or hides it: it answers for its callers itself
			return addr
		}
		addr = before
	}
	return addr
}

// parseAddr reads an address with or without a port. An IPv4 address in IPv6 clothes is one of IPv4; a zone means nothing elsewhere.
func parseAddr(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
