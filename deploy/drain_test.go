package deploy_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// longestDrain is what a drain takes at most behind its delay.
const longestDrain = 8 * time.Second

// Whoever stops a replica must give it the time that its drain may take, and whoever probes it must notice within the delay.
func TestExamplesAllowADrainToFinish(t *testing.T) {
	t.Parallel()
	for file, patterns := range map[string]struct{ grace, delay, probes string }{
		"../docker-compose.yml": {`stop_grace_period: (\d+s)`, `MILLRACE_DRAIN_DELAY: (\w+)`, `readyz"\]\n +interval: (\d+s)`},
		"kubernetes/order.yaml": {
			`terminationGracePeriodSeconds: (\d+)`, `MILLRACE_DRAIN_DELAY, value: (\w+)`, `/readyz, port: http }\n +periodSeconds: (\d+)`,
		},
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		one := func(pattern string) time.Duration {
			found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
			require.NotEmpty(t, found, "%s: %s", file, pattern)
			for _, f := range found {
				require.Equal(t, found[0][1], f[1], "%s: the same everywhere", file)
			}
			value := found[0][1]
			if value[len(value)-1] != 's' {
				value += "s"
			}
			d, err := time.ParseDuration(value)
			require.NoError(t, err)
			return d
		}
		grace, delay, probes := one(patterns.grace), one(patterns.delay), one(patterns.probes)
		require.GreaterOrEqual(t, grace, delay+longestDrain, file)
		require.Greater(t, delay, probes, file)
	}
}
