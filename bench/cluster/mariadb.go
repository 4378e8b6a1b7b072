package cluster

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a server with a data folder of its own. Its settings are the defaults: each commit is synced, no binary log.
type MariaDB struct {
	*Process

	Address string
}

// NewMariaDB makes the data folder below dir and prepares the server. Each account is made with its own name for a password and
// every right, so that one program can be told from another.
func NewMariaDB(ctx context.Context, dir string, accounts ...string) (*MariaDB, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "mariadb")
	install := exec.CommandContext(ctx, tool("mariadb-install-db"), rooted("--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	begin := filepath.Join(dir, "accounts.sql")
	if err := os.WriteFile(begin, []byte(grants(accounts)), 0o600); err != nil {
		return nil, err
	}
	// Under 108 bytes, whatever the folder's depth.
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("millrace-%d.sock", os.Getpid()))
	_, port, err := cut(address)
	if err != nil {
		return nil, err
	}
	p := &Process{
		Name: "mariadb", Dir: dir,
		Argv: append([]string{tool("mariadbd")}, rooted("--no-defaults", "--datadir="+data, "--socket="+socket,
			"--bind-address=127.0.0.1", "--port="+port, "--skip-name-resolve", "--character-set-server=utf8mb4",
			"--max-connections=500", "--init-file="+begin, "--pid-file="+filepath.Join(data, "mariadbd.pid"))...),
	}
	m := &MariaDB{Process: p, Address: address}
	if err := mysql.SetLogger(silent{}); err != nil {
		return nil, err
	}
	db, err := sql.Open("mysql", m.DSN(accounts[0]))
	if err != nil {
		return nil, err
	}
	p.Ready = db.PingContext
	return m, nil
}

// DSN is how the driver reaches the server as account; the name of a database may follow.
func (m *MariaDB) DSN(account string) string {
	return account + ":" + account + "@tcp(" + m.Address + ")/"
}

// URL is how Millrace reaches the server as account; the prefix of its databases' names may follow.
func (m *MariaDB) URL(account string) string {
	return "mysql://" + account + ":" + account + "@" + m.Address + "/"
}

func grants(accounts []string) string {
	var statements strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&statements, "CREATE USER IF NOT EXISTS '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[1]s';\n"+
			"GRANT ALL PRIVILEGES ON *.* TO '%[1]s'@'127.0.0.1';\n", a)
	}
	return statements.String()
}

// silent keeps the driver from reporting each connection that we broke ourselves.
type silent struct{}

func (silent) Print(...any) {}

// rooted adds what the server wants to hear when it is started as root, as in a container.
func rooted(args ...string) []string {
	if os.Geteuid() == 0 {
		return append(args, "--user=root")
	}
	return args
}

// tool finds a program where distributions put servers, also outside an ordinary user's PATH.
func tool(name string) string {
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	return filepath.Join("/usr/sbin", name)
}
