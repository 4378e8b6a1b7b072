package compose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/process"
)

// Migrate brings the databases of the configured services to the newest schema. A service does that by itself at its start; this
// is for those who let only an operator change schemas.
func Migrate(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if cfg.Dialect == sqldb.SQLite {
		data, err := process.LockDataDir(cfg.DataDir, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, data.Unlock()) }()
		if _, err := process.SecretKey(cfg); err != nil { // as a start makes it before there is any data
			return err
		}
	}
	for _, d := range services {
		if !cfg.Runs(d.Name) {
			continue
		}
		db, err := sqldb.Open(sqldb.Config{URL: cfg.DatabaseURL, DataDir: cfg.DataDir, Name: cfg.DatabaseName(d.Name), Logger: log})
		if err != nil {
			return err
		}
		if err := errors.Join(db.Migrate(ctx, d.Migrations), db.Close()); err != nil {
			return fmt.Errorf("migrate the %s service: %w", d.Name, err)
		}
		log.Info("migrated", "service", d.Name)
	}
	return nil
}
