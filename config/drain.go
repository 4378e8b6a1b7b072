package config

import (
	"fmt"
	"time"
)

// longestDrainDelay is above every pause between two probes. Who sets more has mistaken the unit.
const longestDrainDelay = 5 * time.Minute

// parseDrainDelay reads how long requests are still answered while readiness fails; empty is none.
func parseDrainDelay(raw string) (time.Duration, error) {
	if raw == "" {
		return 0, nil
	}
	delay, err := time.ParseDuration(raw)
	if err != nil || delay < 0 || delay > longestDrainDelay {
		return 0, fmt.Errorf("%q must be a duration from 0s to %s with a unit, for example 6s", raw, longestDrainDelay)
	}
	return delay, nil
}
