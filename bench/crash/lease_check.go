package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace/bench/cluster"
)

// leaseMetric is the name of a gauge that is 1 in the process whose relay holds the lease of a service.
const leaseMetric = "millrace_relay_lease"

// checkLeases reads the lease metric of all replicas several times. It adds a finding if two processes hold the lease of one service.
func checkLeases(ctx context.Context, s *system, f *findings) {
	for _, service := range cluster.Services {
		for range 5 {
			holders, anyFound := 0, false
			for _, r := range s.replicasOf(service) {
				held, found, err := readLeaseMetric(ctx, r, service)
				if err != nil {
					f.addOther("metrics of %s: %v", r.Name, err)
					return
				}
				anyFound = anyFound || found
				if held {
					holders++
				}
			}
			if !anyFound {
				f.addOther("no replica of %s exports %s", service, leaseMetric)
				return
			}
			if holders > 1 {
				f.addOther("%d processes of %s hold the relay's lease", holders, service)
			}
		}
	}
}

// readLeaseMetric reports whether a replica holds the lease of a service, and whether it exports the metric at all.
func readLeaseMetric(ctx context.Context, r *replica, service string) (held, found bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/metrics", http.NoBody)
	if err != nil {
		return false, false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, false, fmt.Errorf("GET /metrics returned %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, leaseMetric) || (len(r.Services) > 1 && !strings.Contains(line, `"`+service+`"`)) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return false, false, err
		}
		found, held = true, held || value == 1
	}
	return held, found, lines.Err()
}
