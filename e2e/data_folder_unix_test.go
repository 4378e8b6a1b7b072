//go:build unix

package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An order in a deleted file would be gone with the process, though it was answered with 201.
func TestLostDataFolderStopsWritesAndReadiness(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, dir string){
		"folder removed": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) },
		"folder replaced": func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(dir, dir+".old"))
			require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".old")))
		},
		"database removed": func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "millrace_order.db"))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			n := start(t, "--data-dir="+dir).ready()
			_, user := n.register("ada@example.org")
			n.place(user)
			lose(t, dir)

			require.Eventually(t, func() bool {
				return n.send(user, http.MethodPost, "/api/orders", oneOrder).status == http.StatusServiceUnavailable
			}, waitFor, tick, "orders are accepted that nobody will find")
			a := n.send(user, http.MethodPost, "/api/orders", oneOrder)
			require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
			require.Contains(t, a.body, "data folder was removed or replaced")
			require.NotEmpty(t, a.header.Get("Retry-After"))
			ready := n.get("", "/readyz")
			require.Equal(t, http.StatusServiceUnavailable, ready.status)
			require.Contains(t, ready.body, `"data_folder":{"status":"failed"`)
			require.Contains(t, n.errs.String(), "data folder was removed or replaced")
		})
	}
}

func TestDataFolderThatIsPutBackTakesWritesAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	n := start(t, "--data-dir="+dir).ready()
	_, user := n.register("ada@example.org")
	require.NoError(t, os.Rename(dir, dir+".moved"))
	require.Eventually(t, func() bool { return n.get("", "/readyz").status == http.StatusServiceUnavailable }, waitFor, tick)
	require.NoError(t, os.Rename(dir+".moved", dir))
	n.ready()
	n.place(user)
	require.Zero(t, n.shut())
}
