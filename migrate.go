package main

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
)

var migrations = map[string]fs.FS{
	serviceUser:  usersql.Migrations,
	serviceOrder: ordersql.Migrations,
	serviceEvent: eventsql.Migrations,
}

// migrate brings the databases of the configured services to the newest schema. A service does that by itself at its start; this
// is for those who let only an operator change schemas.
func migrate(ctx context.Context, cfg config, log *slog.Logger) (err error) {
	if cfg.Dialect == sqldb.SQLite {
		data, err := lockDataDir(cfg.DataDir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, data.unlock()) }()
		if _, err := secretKey(cfg); err != nil { // as a start makes it before there is any data
			return err
		}
	}
	for _, name := range cfg.Services {
		db, err := sqldb.Open(sqldb.Config{URL: cfg.DatabaseURL, DataDir: cfg.DataDir, Name: serviceName(name).database(cfg), Logger: log})
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
