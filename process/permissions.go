package process

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/millrace/millrace/config"
)

// warnOfOpenFiles warns of a data folder that is open to others, and of a key that others may read: with it they can sign in as anybody. A
// folder that Millrace made is closed; one that somebody else made may be open for a reason.
func warnOfOpenFiles(cfg config.Config, log *slog.Logger) {
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
