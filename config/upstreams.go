package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// parseUpstreams reads where services listen that run apart: "user=http://user:8080,order=http://order:8080". Each service is named once.
func parseUpstreams(raw string, services []string) (map[string]*url.URL, error) {
	found := map[string]*url.URL{}
	for _, part := range listed(raw) {
		name, address, _ := strings.Cut(part, "=")
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || !slices.Contains(services, name) {
			return nil, fmt.Errorf("must be SERVICE=http://HOST:PORT for each of %s, with commas", strings.Join(services, ", "))
		}
		if found[name] != nil {
			return nil, fmt.Errorf("names the %s service twice", name)
		}
		found[name] = u
	}
	for _, name := range services {
		if found[name] == nil {
			return nil, fmt.Errorf("does not say where the %s service listens: %s=http://HOST:PORT", name, name)
		}
	}
	return found, nil
}
