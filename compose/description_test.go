package compose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryServiceHasAnInjector(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../wire_gen.go")
	require.NoError(t, err)
	for _, d := range Services() {
		require.Contains(t, string(source), "func initialize"+strings.ToUpper(d.Name[:1])+d.Name[1:]+"(", "wire.go builds no %s service", d.Name)
	}
}

// Files that machines do not read from the descriptions name each service and each consumer all the same.
func TestDeploymentNamesEveryService(t *testing.T) {
	t.Parallel()
	for _, d := range Services() {
		upper := strings.ToUpper(d.Name)
		for file, names := range map[string][]string{
			"../docker-compose.yml": {
				"\n  " + d.Name + ":\n", "MILLRACE_SERVICE: " + d.Name + "\n", "MYSQL_" + upper + "_PASSWORD", "NATS_" + upper + "_PASSWORD",
			},
			"../.env.example":          {"MYSQL_" + upper + "_PASSWORD", "NATS_" + upper + "_PASSWORD"},
			"../deploy/mysql/users.sh": {d.Name, "MYSQL_" + upper + "_PASSWORD"},
			"../deploy/nats.conf":      {"$NATS_" + upper + "_PASSWORD"},
		} {
			text, err := os.ReadFile(filepath.Clean(file))
			require.NoError(t, err)
			for _, name := range names {
				require.Contains(t, string(text), name, "%s does not know the %s service", file, d.Name)
			}
		}
	}
}

// A route that no service owns could not be reached through the gateway.
func TestEveryRouteBelongsToOneService(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/api/openapi.json")
	require.NoError(t, err)
	var document struct {
		Paths map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(data, &document))
	require.NotEmpty(t, document.Paths)
	for route := range document.Paths {
		if !strings.HasPrefix(route, "/api/") && !strings.HasPrefix(route, "/.well-known/") {
			continue
		}
		var owners []string
		for _, d := range Services() {
			for _, path := range d.Paths {
				if route == path || strings.HasPrefix(route, path+"/") {
					owners = append(owners, d.Name)
				}
			}
		}
		require.Len(t, owners, 1, route)
	}
}
