package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// listed gives the parts of a comma-separated list.
func listed(raw string) (parts []string) {
	for part := range strings.SplitSeq(raw, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// parseProxies reads networks; an address alone is a network of one.
func parseProxies(raw string) (proxies []netip.Prefix, err error) {
	for _, part := range listed(raw) {
		if addr, err := netip.ParseAddr(part); err == nil {
			part = fmt.Sprintf("%s/%d", addr, addr.BitLen())
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is neither a network as 10.0.0.0/8 nor an address", part)
		}
		proxies = append(proxies, network.Masked())
	}
	return proxies, nil
}
