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

// leaseMetric is 1 in the process whose relay holds the lease, per service.
const leaseMetric = "millrace_relay_lease"

// checkLeases asks every replica who relays, some times over: never may two processes of a service both say that they do.
func checkLeases(ctx context.Context, c *system, f *findings) {
	for _, service := range cluster.Services {
		for range 5 {
			holders, known := 0, false
			for _, r := range c.of(service) {
				held, found, err := holds(ctx, r, service)
				if err != nil {
					f.addOther("metrics of %s: %v", r.Name, err)
					return
				}
				known = known || found
				if held {
					holders++
				}
			}
			if !known {
				f.addOther("no replica of %s shows %s", service, leaseMetric)
				return
			}
			if holders > 1 {
				f.addOther("%d processes of %s hold the relay's lease", holders, service)
			}
		}
	}
}

// holds reads one replica's metric.
func holds(ctx context.Context, r *replica, service string) (held, found bool, err error) {
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
		return false, false, fmt.Errorf("/metrics says %s", response.Status)
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
