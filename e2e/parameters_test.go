package e2e_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A filter that is misspelt and passed over lists everything. The answers to it are in the document, as all answers are.
func TestEveryRouteRefusesParametersThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	admin := n.admin()
	for path, operations := range readOperations(t) {
		if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/.well-known/") {
			continue // probes and documents take none at all
		}
		address := placeholder.ReplaceAllString(path, "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10")
		for method, op := range operations {
			for query, want := range map[string]string{"nosuch=1": "422", "Limit=1": "422", "%zz=1": "400"} {
				a := n.send(admin, strings.ToUpper(method), address+"?"+query, "")
				require.Equal(t, want, strconv.Itoa(a.status), "%s %s?%s: %s", method, address, query, a.body)
				require.Contains(t, op.Responses, want, op.OperationID)
			}
		}
	}
}
