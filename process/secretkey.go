package process

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/config"
)

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
