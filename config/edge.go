package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// parseEdge reads who may call, and how often.
func (s Settings) parseEdge(c *Config, found *problems) {
	var err error
	if c.TrustedProxies, err = parseProxies(s.TrustedProxies); err != nil {
		found.add("MILLRACE_TRUSTED_PROXIES", "%w", err)
	}
	if c.CORSOrigins, err = parseOrigins(s.CORSOrigins); err != nil {
		found.add("MILLRACE_CORS_ORIGINS", "%w", err)
	}
	switch s.RateLimits {
	case "on", "off":
		c.RateLimits = s.RateLimits == "on"
	default:
		found.add("MILLRACE_RATE_LIMITS", "%q is neither on nor off", s.RateLimits)
	}
}

// listed returns the parts of a comma-separated list.
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
			return nil, fmt.Errorf("%q is neither a network, for example 10.0.0.0/8, nor an address", part)
		}
		proxies = append(proxies, network.Masked())
	}
	return proxies, nil
}

// parseOrigins reads origins, which must be written as browsers send them: they are compared as they are.
func parseOrigins(raw string) ([]string, error) {
	origins := listed(raw)
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Hostname() == "" || strings.Contains(origin, "*") || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is not an origin, for example https://shop.example; wildcards are not supported", origin)
		}
		port := u.Port()
		if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
			port = ""
		}
		sent := u.Scheme + "://" + strings.ToLower(u.Hostname())
		if strings.Contains(u.Hostname(), ":") {
			sent = u.Scheme + "://[" + strings.ToLower(u.Hostname()) + "]"
		}
		if port != "" {
			sent += ":" + port
		}
		if origin != sent {
			return nil, fmt.Errorf("%q must be written as browsers send it: %s", origin, sent)
		}
	}
	return origins, nil
}
