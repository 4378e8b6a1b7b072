// Package metric registers metrics that several services of a process share.
package metric

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Register adds c to reg, or returns what another service of the process registered under its name. A nil reg registers nothing.
func Register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	if reg == nil {
		return c, nil
	}
	err := reg.Register(c)
	if err == nil {
		return c, nil
	}
	if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, same := taken.ExistingCollector.(C); same {
			return existing, nil
		}
	}
	return c, fmt.Errorf("register metrics: %w", err)
}
