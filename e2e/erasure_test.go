package e2e_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a user gave us, in words that nobody else uses.
const (
	goneMail      = "quillon.varga@zymurgy.example"
	goneMailToo   = "quillon.second@zymurgy.example"
	goneName      = "Quillon Wexcombe-Varga"
	goneNote      = "behind the crooked sundial"
	goneNoteToo   = "beneath the yellow awning"
	goneReason    = "because of my hernia"
	goneReasonToo = "my landlord objects"
	goneAgent     = "QuillonsBrowser"
)

var goneTexts = []string{
	goneMail, goneMailToo, goneName, goneNote, goneNoteToo, goneReason, goneReasonToo, goneAgent,
}

// filesWith returns which files under dir have one of texts in them, written or not.
func filesWith(t *testing.T, dir string, texts ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				found = append(found, text+" in "+path)
			}
		}
		return nil
	})
	require.NoError(t, err)
	return found
}

func (n *node) placeWithNote(token, note, key string) (id string) {
	n.t.Helper()
	body := fmt.Sprintf(`{"note":%q,%s`, note, oneOrder[1:])
	a := n.send(token, http.MethodPost, "/api/orders", body, "Idempotency-Key", key)
	require.Equal(n.t, http.StatusCreated, a.status, a.body)
	return idOf(n.t, a)
}

// A user does whatever leaves personal data behind, beside others who stay, and deletes the account. Then all files of the running process
// are read: databases, their write-ahead logs, the broker's store.
func TestDeletionErasesPersonalDataFromTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, "--data-dir="+dir, "--rate-limits=off").ready()
	for i := range 30 {
		n.send("", http.MethodPost, "/api/users", fmt.Sprintf(`{"email":"q%d@zymurgy.example","name":"Q%d","password":"four mills turn"}`, i, i))
	}
	a := n.send("", http.MethodPost, "/api/users", fmt.Sprintf(`{"email":%q,"name":%q,"password":%q}`, goneMail, goneName, adminPassword),
		"Idempotency-Key", "registration")
	require.Equal(t, http.StatusCreated, a.status, a.body)
	id := idOf(t, a)
	a = n.send("", http.MethodPost, "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, goneMail, adminPassword),
		"User-Agent", goneAgent)
	require.Equal(t, http.StatusOK, a.status, a.body)
	token := n.signIn(goneMail, adminPassword)

	placed := n.placeWithNote(token, goneNote, "1")
	cancelled := n.placeWithNote(token, goneNote, "2")
	deleted := n.placeWithNote(token, goneNote, "3")
	a = n.send(token, http.MethodPut, "/api/orders/"+placed, fmt.Sprintf(`{"note":%q}`, goneNoteToo))
	require.Equal(t, http.StatusOK, a.status, a.body)
	a = n.send(token, http.MethodPost, "/api/orders/"+cancelled+"/cancel", fmt.Sprintf(`{"reason":%q}`, goneReason))
	require.Equal(t, http.StatusOK, a.status, a.body)
	a = n.send(token, http.MethodPost, "/api/orders/"+deleted+"/cancel", fmt.Sprintf(`{"reason":%q}`, goneReasonToo))
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Equal(t, http.StatusNoContent, n.send(token, http.MethodDelete, "/api/orders/"+deleted, "").status)
	a = n.send(token, http.MethodPut, "/api/users/"+id, fmt.Sprintf(`{"email":%q,"current_password":%q}`, goneMailToo, adminPassword))
	require.Equal(t, http.StatusOK, a.status, a.body)
	for _, text := range []string{goneMailToo, goneName, goneNoteToo, goneReason, goneAgent} {
		require.NotEmpty(t, filesWith(t, dir, text), "%q is looked for where it cannot be", text)
	}

	require.Equal(t, http.StatusNoContent, n.send(token, http.MethodDelete, "/api/users/"+id, "").status)
	admin := n.admin()
	require.Eventually(t, func() bool {
		a := n.get(admin, "/api/orders/"+placed)
		return a.status == http.StatusOK && bytes.Contains([]byte(a.body), []byte(`"status":"cancelled"`))
	}, waitFor, tick)
	require.Eventually(t, func() bool { return len(filesWith(t, dir, goneTexts...)) == 0 }, 2*waitFor, 10*tick, "still there")
	require.Empty(t, filesWith(t, dir, goneTexts...))
	for _, order := range []string{placed, cancelled} {
		types := n.history(admin, "key="+order)
		require.Equal(t, "order.cancelled.v1", types[len(types)-1].Type)
	}
	require.Zero(t, n.shut())
	require.Empty(t, filesWith(t, dir, goneTexts...))
}

func TestOpenDataFolderIsWarnedOfAndDatabasesArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such rights")
	}
	dir := filepath.Join(t.TempDir(), "theirs")
	require.NoError(t, os.Mkdir(dir, 0o755)) //nolint:gosec // that is the point
	n := start(t, "--data-dir="+dir).ready()
	n.register("ada@example.org")
	require.Contains(t, n.errs.String(), "the data folder is open to others")
	requireClosed(t, dir)

	own := filepath.Join(t.TempDir(), "ours")
	n = start(t, "--data-dir="+own).ready()
	require.NotContains(t, n.errs.String(), "the data folder is open to others")
	info, err := os.Stat(own)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
}

// requireClosed asks that nobody but the owner has rights on a file under dir.
func requireClosed(t *testing.T, dir string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go
		}
		info, err := entry.Info()
		if err == nil {
			files++
			require.Zero(t, info.Mode().Perm()&0o077, "%s has mode %s", path, info.Mode().Perm())
		}
		return nil
	}))
	require.Greater(t, files, 9)
}
