package natsjs

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// address is a broker URL taken apart: where the servers are, and how we prove who we are.
type address struct {
	servers     string // comma-separated, each with scheme and, where given, user
	credentials string // file, empty where none
}

// parseAddress reads nats://[user:pass@]host:4222[,host2:4222][?creds=FILE], or the same with tls://. Errors never repeat the
// URL: it may hold a password.
func parseAddress(raw string) (address, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || (scheme != "nats" && scheme != "tls") {
		return address{}, errors.New("the broker URL must begin with nats:// or tls://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	user, hosts, found := cutLast(rest, "@")
	if !found {
		hosts = rest
	}
	var a address
	var servers []string
	for host := range strings.SplitSeq(strings.TrimSuffix(hosts, "/"), ",") {
		server := scheme + "://" + host
		if found {
			server = scheme + "://" + user + "@" + host
		}
		u, err := url.Parse(server)
		if err != nil || !isServer(u) {
			return address{}, errors.New("the broker URL names a server that is no host:port")
		}
		servers = append(servers, server)
	}
	a.servers = strings.Join(servers, ",")
	options, err := url.ParseQuery(query)
	if err != nil {
		return address{}, errors.New("the broker URL's options cannot be read")
	}
	for name := range options {
		if name != "creds" {
			return address{}, errors.New("the broker URL has an unknown option; the only one is creds")
		}
	}
	a.credentials = options.Get("creds")
	return a, nil
}

// isServer reports whether u names one host, and a port that there is where it names one.
func isServer(u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if host == "" || u.Path != "" || strings.HasSuffix(u.Host, ":") || strings.Contains(host, ":") != strings.HasPrefix(u.Host, "[") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// CheckURL reports what is wrong with a broker URL, without asking a server. The error repeats no part of it.
func CheckURL(raw string) error {
	_, err := parseAddress(raw)
	return err
}

// cutLast cuts s around the last separator, so that a password may hold one.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
