package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/bench/cluster"
)

// databaseFaultInjector makes transactions of the services fail on MariaDB: it kills their connections and provokes deadlocks. It also
// expires the leases of their relays.
type databaseFaultInjector struct {
	db     *sql.DB // as testAccount
	state  *loadState
	random *rand.Rand
	faults *faultCounts
}

// deadlock describes how to deadlock with a transaction of a service. The service takes the locks of secondLock first and those of
// firstLock later. The injector takes them in the opposite order. InnoDB rolls back the transaction that changed fewer rows, which is
// the service's, because the injector updates 500 rows beforehand.
type deadlock struct {
	firstLock  string // locks the end of a table, where the service inserts, or the rows that it locks last
	secondLock string // locks the rows that the service locks first
	// ids returns the values for the placeholder @binary_ids or @text_ids in both statements.
	ids func(d *databaseFaultInjector) []any
}

var deadlocks = []deadlock{
	{
		firstLock:  "SELECT id FROM millrace_order.outbox WHERE id >= (SELECT MAX(id) FROM millrace_order.outbox) FOR UPDATE",
		secondLock: "SELECT id FROM millrace_order.orders WHERE id IN (@binary_ids) FOR UPDATE",
		ids:        (*databaseFaultInjector).orderIDs,
	},
	{
		firstLock:  "SELECT id FROM millrace_user.outbox WHERE id >= (SELECT MAX(id) FROM millrace_user.outbox) FOR UPDATE",
		secondLock: "SELECT id FROM millrace_user.users WHERE id IN (@binary_ids) FOR UPDATE",
		ids:        (*databaseFaultInjector).userIDs,
	},
	{
		firstLock:  "SELECT user_id FROM millrace_order.customers WHERE user_id IN (@binary_ids) FOR UPDATE",
		secondLock: "SELECT sequence FROM millrace_order.inbox WHERE consumer = 'order-customers' AND partition_key IN (@text_ids) FOR UPDATE",
		ids:        (*databaseFaultInjector).userIDs,
	},
	{
		firstLock:  "SELECT id FROM millrace_event.history ORDER BY id DESC LIMIT 50 FOR UPDATE",
		secondLock: "SELECT last FROM millrace_event.history_position FOR UPDATE",
		ids:        func(*databaseFaultInjector) []any { return nil },
	},
}

// prepare creates the rows that the injector updates in each of its transactions.
func (d *databaseFaultInjector) prepare(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS millrace_crash",
		"CREATE TABLE IF NOT EXISTS millrace_crash.weight (id INT PRIMARY KEY, n INT NOT NULL)",
		"INSERT IGNORE INTO millrace_crash.weight SELECT seq, 0 FROM millrace_crash.seq_1_to_500",
	} {
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// run injects faults until ctx is done. It ignores errors: the server is killed meanwhile.
func (d *databaseFaultInjector) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(100+d.random.IntN(400))*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		switch n := d.random.IntN(10); {
		case n < 4:
			d.killConnection(attempt)
		case n < 8:
			d.provokeDeadlock(attempt, deadlocks[d.random.IntN(len(deadlocks))])
		default:
			d.takeLease(attempt, cluster.Services[d.random.IntN(len(cluster.Services))])
		}
		cancel()
	}
}

// killConnection kills a connection of a service, preferably a busy one. That rolls back its transaction, or loses the response to a
// COMMIT.
func (d *databaseFaultInjector) killConnection(ctx context.Context) {
	var id int64
	err := d.db.QueryRowContext(ctx, `SELECT id FROM information_schema.processlist WHERE user = 'millrace'
		ORDER BY command <> 'Sleep' DESC, RAND(?) LIMIT 1`, d.random.IntN(1<<30)).Scan(&id)
	if err != nil {
		return
	}
	if _, err := d.db.ExecContext(ctx, "KILL CONNECTION ?", id); err == nil {
		d.faults.addConnectionKill()
	}
}

// takeLease expires a relay's lease while its holder relies on it, as a jump of the database's clock does. Another relay then takes the
// lease, and only its epoch keeps the first one from marking rows.
func (d *databaseFaultInjector) takeLease(ctx context.Context, service string) {
	if d.expireLease(ctx, service) == nil {
		d.faults.addLostLease()
	}
}

// provokeDeadlock takes the locks of l and rolls back. It then discards the connection: if ctx is done before the ROLLBACK, a pooled
// connection would keep the locks.
func (d *databaseFaultInjector) provokeDeadlock(ctx context.Context, l deadlock) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	defer func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }()
	before := d.deadlockCount(ctx)
	for _, statement := range []string{
		"SET SESSION innodb_lock_wait_timeout = 1",
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", // takes gap locks, which block the services' inserts
		"BEGIN",
		"UPDATE millrace_crash.weight SET n = n + 1",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return
		}
	}
	ids := l.ids(d)
	d.lockRows(ctx, conn, l.firstLock, ids)
	cluster.Sleep(ctx, time.Duration(10+d.random.IntN(60))*time.Millisecond) // until transactions of the service wait for these locks
	d.lockRows(ctx, conn, l.secondLock, ids)
	_, _ = conn.ExecContext(ctx, "ROLLBACK")
	d.faults.addLock(max(0, d.deadlockCount(ctx)-before))
}

// lockRows runs a locking read and discards its rows.
func (d *databaseFaultInjector) lockRows(ctx context.Context, conn *sql.Conn, statement string, ids []any) {
	args := ids
	switch {
	case strings.Contains(statement, "@text_ids"):
		args = nil
		for _, id := range ids {
			u, _ := uuid.FromBytes(id.([]byte))
			args = append(args, u.String())
		}
	case !strings.Contains(statement, "@binary_ids"):
		args = nil
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")
	statement = strings.NewReplacer("@binary_ids", marks, "@text_ids", marks).Replace(statement)
	rows, err := conn.QueryContext(ctx, statement, args...)
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
	}
	_ = rows.Err()
}

// deadlockCount returns the number of deadlocks since the server was started.
func (d *databaseFaultInjector) deadlockCount(ctx context.Context) int {
	var name string
	var n int
	_ = d.db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").Scan(&name, &n)
	return n
}

func (d *databaseFaultInjector) orderIDs() []any { return binaryIDs(d.state.orderIDs()) }

func (d *databaseFaultInjector) userIDs() []any { return binaryIDs(d.state.userIDs()) }

// binaryIDs returns ids in the form of the databases' key columns. The result starts with a nil UUID, so that IN (…) is never empty.
func binaryIDs(ids []string) []any {
	all := []any{make([]byte, 16)}
	for _, id := range ids {
		if u, err := uuid.Parse(id); err == nil {
			all = append(all, u[:])
		}
	}
	return all
}
