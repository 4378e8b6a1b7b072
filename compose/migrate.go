package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/process"
)

var migrations = map[string]fs.FS{
	config.ServiceUser:  usersql.Migrations,
	config.ServiceOrder: ordersql.Migrations,
	config.ServiceEvent: eventsql.Migrations,
}

// Migrate brings the databases of the configured services to the newest schema. A service does that by itself at its start; this
// is for those who let only an operator change schemas.
func Migrate(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if cfg.Dialect == sqldb.SQLite {
		data, err := process.LockDataDir(cfg.DataDir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, data.Unlock()) }()
		if _, err := process.SecretKey(cfg); err != nil { // as a start makes it before there is any data
			return err
		}
	}
	for _, name := range cfg.Services {
		db, err := sqldb.Open(sqldb.Config{URL: cfg.DatabaseURL, DataDir: cfg.DataDir, Name: cfg.DatabaseName(name), Logger: log})
		if err != nil {
			return err
		}
		if err := errors.Join(db.Migrate(ctx, migrations[name]), db.Close()); err != nil {
			return fmt.Errorf("migrate the %s service: %w", name, err)
		}
		log.Info("migrated", "service", name)
	}
	return nil
}
