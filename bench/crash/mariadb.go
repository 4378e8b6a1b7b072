package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
)

// The services and this program sign in as different users, so that connections can be killed without killing our own.
const accounts = `CREATE USER IF NOT EXISTS 'millrace'@'127.0.0.1' IDENTIFIED BY 'millrace';
GRANT ALL PRIVILEGES ON *.* TO 'millrace'@'127.0.0.1';
CREATE USER IF NOT EXISTS 'crash'@'127.0.0.1' IDENTIFIED BY 'crash';
GRANT ALL PRIVILEGES ON *.* TO 'crash'@'127.0.0.1';
`

// newMariaDB prepares a server with a data folder of its own. Its settings are the defaults: each commit is synced.
func newMariaDB(ctx context.Context, dir string) (*process, string, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "mariadb")
	install := exec.CommandContext(ctx, tool("mariadb-install-db"), rooted("--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	start := filepath.Join(dir, "accounts.sql")
	if err := os.WriteFile(start, []byte(accounts), 0o600); err != nil {
		return nil, "", err
	}
	// Under 108 bytes, whatever the folder's depth.
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("millrace-crash-%d.sock", os.Getpid()))
	_, port, _ := cut(address)
	p := &process{
		name: "mariadb", dir: dir,
		argv: append([]string{tool("mariadbd")}, rooted("--no-defaults", "--datadir="+data, "--socket="+socket,
			"--bind-address=127.0.0.1", "--port="+port, "--skip-name-resolve", "--character-set-server=utf8mb4",
			"--max-connections=500", "--init-file="+start, "--pid-file="+filepath.Join(data, "mariadbd.pid"))...),
	}
	if err := mysql.SetLogger(silent{}); err != nil {
		return nil, "", err
	}
	db, err := sql.Open("mysql", "crash:crash@tcp("+address+")/")
	if err != nil {
		return nil, "", err
	}
	p.ready = func(ctx context.Context) error { return db.PingContext(ctx) }
	return p, address, nil
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
