package sqldb

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Config says which database to open and how much of it to use. Zero values of the numbers mean their defaults.
type Config struct {
	URL     string // "sqlite:", "mysql://user:pass@host:3306/", or a DSN of go-sql-driver; a path is the business of NamePrefix
	DataDir string // the folder of SQLite's files
	Name    string // the database, "millrace_order": a schema on MySQL, a file on SQLite
	Logger  *slog.Logger
	// Intact returns an error of kind Unavailable while the files of the database are gone or were replaced: a commit would be lost with
	// them, so writes are refused with it. nil: nobody looks.
	Intact func() error

	Writers  int           // connections that write; 4 on MySQL, always 1 on SQLite
	Readers  int           // connections that read; 8
	GroupMax int           // closures that may share a transaction; 64
	GroupFor time.Duration // how long a shared transaction takes in further closures; 20 ms
	QueryFor time.Duration // the time limit of a query outside of a transaction, on SQLite; MySQL has its own of the same length; 8 s
}

func (c Config) withDefaults(d Dialect) Config {
	c.Writers = cmp.Or(c.Writers, 4)
	if d == SQLite {
		c.Writers = 1
	}
	c.Readers = cmp.Or(c.Readers, 8)
	c.GroupMax = cmp.Or(c.GroupMax, 64)
	c.GroupFor = cmp.Or(c.GroupFor, 20*time.Millisecond)
	c.QueryFor = cmp.Or(c.QueryFor, 8*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Intact == nil {
		c.Intact = func() error { return nil }
	}
	return c
}

// errURL names no part of the URL: it may hold a password.
var errURL = errors.New(`the database URL must be "sqlite:" or "mysql://user:password@host:3306/"`)

// errPath is what comes of naming a file: there is one per service.
var errPath = errors.New(`"sqlite:" takes no path: its files are in the data folder, one for each service`)

// ParseURL checks a database URL and gives its dialect. An error never repeats the URL, which may hold a password.
func ParseURL(raw string) (Dialect, error) {
	if raw == "sqlite:" {
		return SQLite, nil
	}
	if strings.HasPrefix(raw, "sqlite:") {
		return SQLite, errPath
	}
	if _, err := mysqlConfig(raw, ""); err != nil {
		return MySQL, err
	}
	return MySQL, nil
}

// NamePrefix is what the names of databases begin with: the path of a MySQL URL, or "millrace" where it has none. So several
// systems may share a server.
func NamePrefix(raw string) string {
	const usual = "millrace"
	if raw == "sqlite:" {
		return usual
	}
	c, err := parseMySQL(raw)
	if err != nil {
		return usual
	}
	return cmp.Or(c.DBName, usual)
}

// mysqlConfig reads a mysql:// URL or a DSN. The server's own limits stand in for a statement's context: a statement that
// the client gives up keeps its locks until the server ends it.
func mysqlConfig(raw, name string) (*mysql.Config, error) {
	c, err := parseMySQL(raw)
	if err != nil {
		return nil, err
	}
	c.DBName = name
	c.ClientFoundRows = true
	c.InterpolateParams = true
	c.ParseTime = false
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 10*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.MaxAllowedPacket = 0 // is asked of the server
	c.RejectReadOnly = false
	c.Logger = quiet{}
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, fmt.Errorf("set the charset: %w", err)
	}
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	c.Params["innodb_lock_wait_timeout"] = "5"
	c.Params["sql_mode"] = "'" + sessionMode + "'"
	c.Params["time_zone"] = "'+00:00'" // the lease goes by the server's clock, which must not jump with daylight saving
	return c, nil
}

// sessionMode is the sql_mode of our sessions. Whatever the server's is, strings are quoted as the driver quotes them, read as they were
// stored, and refused where they do not fit.
const sessionMode = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"

func parseMySQL(raw string) (*mysql.Config, error) {
	rest, ok := strings.CutPrefix(raw, "mysql://")
	if !ok {
		c, err := mysql.ParseDSN(raw)
		if err != nil {
			return nil, errURL
		}
		return c, nil
	}
	u, err := url.Parse("mysql://" + rest)
	if err != nil || u.Hostname() == "" {
		return nil, errURL
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", u.Hostname()+":"+cmp.Or(u.Port(), "3306")
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.TLSConfig = u.Query().Get("tls")
	if c.DBName = strings.Trim(u.Path, "/"); !namePrefix.MatchString(c.DBName) {
		return nil, errURL
	}
	return c, nil
}

var namePrefix = regexp.MustCompile(`^[A-Za-z0-9_]{0,40}$`)

// quiet keeps the driver from writing to standard error: what matters of a broken connection comes back as an error.
type quiet struct{}

func (quiet) Print(...any) {}

// sqlitePath makes the data folder and the database's file in it, and returns the file's path. Both are for their owner alone, because the
// file holds hashes of passwords; SQLite gives its other files the mode of this one. Files of before that are open to others are closed.
func sqlitePath(c Config) (string, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(c.DataDir, c.Name+".db")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, ownerOnly)
	if err != nil {
		return "", fmt.Errorf("make the database's file: %w", err)
	}
	if err := file.Close(); err != nil {
		return "", fmt.Errorf("make the database's file: %w", err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := closeToOthers(path + suffix); err != nil {
			return "", err
		}
	}
	return path, nil
}

// ownerOnly is the mode of a database's files.
const ownerOnly = 0o600

// closeToOthers takes the rights of group and others off a file, if there is one.
func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err == nil {
		err = os.Chmod(path, ownerOnly)
	}
	if err != nil && runtime.GOOS != "windows" {
		return fmt.Errorf("close %s to others (chmod 600): %w", path, err)
	}
	return nil
}
