package cluster

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a server with its own data directory. It runs with default settings: it syncs each commit and keeps no binary log.
type MariaDB struct {
	*Process

	Address string
}

// NewMariaDB creates the data directory below dir and returns a server that is not started. Each account has every privilege, and its
// name as its password. Separate accounts make it possible to tell the connections of different programs apart.
func NewMariaDB(ctx context.Context, dir string, accounts ...string) (*MariaDB, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "mariadb")
	install := exec.CommandContext(ctx, findExecutable("mariadb-install-db"), withUserFlag("--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	initFile := filepath.Join(dir, "accounts.sql")
	if err := os.WriteFile(initFile, []byte(createAccounts(accounts)), 0o600); err != nil {
		return nil, err
	}
	// A socket path must be shorter than 108 bytes, and dir may be longer than that.
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("millrace-%d.sock", os.Getpid()))
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	// Not /tmp: a server that starts deletes the temporary tables that it finds there, also those of others.
	temporary := filepath.Join(dir, "mariadb-tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return nil, err
	}
	p := &Process{
		Name: "mariadb", Dir: dir,
		Argv: append([]string{findExecutable("mariadbd")}, withUserFlag("--no-defaults", "--datadir="+data, "--tmpdir="+temporary,
			"--socket="+socket, "--bind-address=127.0.0.1", "--port="+port, "--skip-name-resolve", "--character-set-server=utf8mb4",
			"--max-connections=500", "--init-file="+initFile, "--pid-file="+filepath.Join(data, "mariadbd.pid"))...),
	}
	m := &MariaDB{Process: p, Address: address}
	if err := mysql.SetLogger(discardLogger{}); err != nil {
		return nil, err
	}
	db, err := sql.Open("mysql", m.DSN(accounts[0]))
	if err != nil {
		return nil, err
	}
	p.Ready = db.PingContext
	return m, nil
}

// DSN returns the driver's data source name for account. A database name may be appended.
func (m *MariaDB) DSN(account string) string {
	return account + ":" + account + "@tcp(" + m.Address + ")/"
}

// URL returns the value of MILLRACE_DATABASE_URL for account. A prefix for database names may be appended.
func (m *MariaDB) URL(account string) string {
	return "mysql://" + account + ":" + account + "@" + m.Address + "/"
}

func createAccounts(accounts []string) string {
	var statements strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&statements, "CREATE USER IF NOT EXISTS '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[1]s';\n"+
			"GRANT ALL PRIVILEGES ON *.* TO '%[1]s'@'127.0.0.1';\n", a)
	}
	return statements.String()
}

// discardLogger drops the driver's messages. The crash test kills connections on purpose, and the driver would log each of them.
type discardLogger struct{}

func (discardLogger) Print(...any) {}

// withUserFlag appends the flag that MariaDB requires when it is started as root, as in a container.
func withUserFlag(args ...string) []string {
	if os.Geteuid() == 0 {
		return append(args, "--user=root")
	}
	return args
}

// findExecutable returns the path of a program. It falls back to /usr/sbin, which is not in an ordinary user's PATH.
func findExecutable(name string) string {
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	return filepath.Join("/usr/sbin", name)
}
