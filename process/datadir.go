package process

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"

	"github.com/millrace/millrace/config"
)

// DataDir is the locked folder of a process's embedded parts.
type DataDir struct {
	path string
	lock *flock.Flock
}

// LockDataDir makes the folder, for its owner alone, and locks it before anything in it is opened: two servers on one store would both
// acknowledge. The error says which process holds it.
func LockDataDir(path string) (*DataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file := filepath.Join(path, "millrace.lock")
	d := &DataDir{path: path, lock: flock.New(file, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("the data folder %s is in use by %s: stop it, or set MILLRACE_DATA_DIR to another folder", path, holder(file))
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, "process %d", os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), d.lock.Unlock())
	}
	return d, nil
}

// holder reads what the process that holds the lock wrote into it.
func holder(file string) string {
	if name, err := os.ReadFile(file); err == nil && len(name) > 0 { //nolint:gosec // our own lock file
		return string(name)
	}
	return "another process"
}

// Unlock releases the folder. It comes last.
func (d *DataDir) Unlock() error { return d.lock.Unlock() }

// SecretKey returns the configured key, or the one kept in the data folder, which is drawn at the first start.
func SecretKey(cfg config.Config) (string, error) {
	if cfg.SecretKey != "" {
		return cfg.SecretKey, nil
	}
	file := filepath.Join(cfg.DataDir, "secret.key")
	kept, err := os.ReadFile(file) //nolint:gosec // the operator's own folder
	switch {
	case err == nil:
		return keptKey(file, strings.TrimSpace(string(kept)))
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the secret key: %w", err)
	}
	if held, _ := filepath.Glob(filepath.Join(cfg.DataDir, "*.db")); len(held) > 0 {
		return "", fmt.Errorf("%s is missing, and the folder holds data that was made with it: put it back", file)
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("draw a secret key: %w", err)
	}
	key := hex.EncodeToString(random)
	if err := writeNew(file, key+"\n"); err != nil {
		return "", fmt.Errorf("keep the secret key: %w", err)
	}
	return key, nil
}

// keptKey checks the content of the key's file, which an operator may have written.
func keptKey(file, key string) (string, error) {
	if err := config.CheckKey(key); err != nil {
		return "", fmt.Errorf("%s is damaged or weak: the key in it %w. Put the right key back, or set MILLRACE_SECRET_KEY: "+
			"without the key that the data was made with nobody's tokens can be signed", file, err)
	}
	return key, nil
}

// warnOfReaders warns of a data folder that is open to others, and of a key that others may read: with it they can sign in as anybody. A
// folder that Millrace made is closed; one that somebody else made may be open for a reason.
func warnOfReaders(cfg config.Config, log *slog.Logger) {
	if mode, open := openToOthers(cfg.DataDir); open && cfg.Embedded() {
		log.Warn("the data folder is open to others: chmod 700 it", "folder", cfg.DataDir, "mode", mode.String())
	}
	file := filepath.Join(cfg.DataDir, "secret.key")
	if mode, open := openToOthers(file); open && cfg.SecretKey == "" {
		log.Warn("the secret key can be read by others: chmod 600 it", "file", file, "mode", mode.String())
	}
}

// openToOthers reports whether anybody but the owner has rights on a file or folder.
func openToOthers(path string) (mode fs.FileMode, open bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	return info.Mode().Perm(), info.Mode().Perm()&0o077 != 0
}

// writeNew writes a file that is there whole or not at all, also after a power failure.
func writeNew(file, content string) error {
	temporary := file + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the operator's own folder
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}
