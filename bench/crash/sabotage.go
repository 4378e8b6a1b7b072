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

// saboteur makes transactions of the services fail: it kills their connections and lays traps that deadlock with them. And it takes
// their relays' leases away.
type saboteur struct {
	db     *sql.DB // as a user of its own on MariaDB
	shop   *shop
	random *rand.Rand
	tally  *tally
}

// snare is a deadlock from outside. The services lock what victim names first and the end of a table later; the trap does it the
// other way round, and is heavier, so that the server ends the service's transaction and not ours.
type snare struct {
	hold   string // takes and keeps the place where the services insert, or the rows that they change last
	victim string // asks for what they hold by then; @ids stands for the hot rows
	keys   func(s *saboteur) []any
}

var snares = []snare{
	{
		hold:   "SELECT id FROM millrace_order.outbox WHERE id >= (SELECT MAX(id) FROM millrace_order.outbox) FOR UPDATE",
		victim: "SELECT id FROM millrace_order.orders WHERE id IN (@ids) FOR UPDATE",
		keys:   (*saboteur).hotOrders,
	},
	{
		hold:   "SELECT id FROM millrace_user.outbox WHERE id >= (SELECT MAX(id) FROM millrace_user.outbox) FOR UPDATE",
		victim: "SELECT id FROM millrace_user.users WHERE id IN (@ids) FOR UPDATE",
		keys:   (*saboteur).hotCustomers,
	},
	{
		hold:   "SELECT user_id FROM millrace_order.customers WHERE user_id IN (@ids) FOR UPDATE",
		victim: "SELECT sequence FROM millrace_order.inbox WHERE consumer = 'order-customers' AND partition_key IN (@names) FOR UPDATE",
		keys:   (*saboteur).hotCustomers,
	},
	{
		hold:   "SELECT id FROM millrace_event.history ORDER BY id DESC LIMIT 50 FOR UPDATE",
		victim: "SELECT last FROM millrace_event.history_position FOR UPDATE",
		keys:   func(*saboteur) []any { return nil },
	},
}

// prepare makes the rows whose change gives a trap its weight.
func (s *saboteur) prepare(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS millrace_crash",
		"CREATE TABLE IF NOT EXISTS millrace_crash.weight (id INT PRIMARY KEY, n INT NOT NULL)",
		"INSERT IGNORE INTO millrace_crash.weight SELECT seq, 0 FROM millrace_crash.seq_1_to_500",
	} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// run works until ctx ends. Its own failures are no finding: the server that it works on is being killed.
func (s *saboteur) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(100+s.random.IntN(400))*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		switch n := s.random.IntN(10); {
		case n < 4:
			s.cutConnection(attempt)
		case n < 8:
			s.lay(attempt, snares[s.random.IntN(len(snares))])
		default:
			s.takeLease(attempt, cluster.Services[s.random.IntN(len(cluster.Services))])
		}
		cancel()
	}
}

// cutConnection kills one of the services' connections, which rolls back what it was doing, or loses the answer of a COMMIT.
func (s *saboteur) cutConnection(ctx context.Context) {
	var id int64
	err := s.db.QueryRowContext(ctx, `SELECT id FROM information_schema.processlist WHERE user = 'millrace'
		ORDER BY command <> 'Sleep' DESC, RAND(?) LIMIT 1`, s.random.IntN(1<<30)).Scan(&id)
	if err != nil {
		return
	}
	if _, err := s.db.ExecContext(ctx, "KILL CONNECTION ?", id); err == nil {
		s.tally.cut()
	}
}

// takeLease ends a relay's lease while its holder is sure of it, as a jump of the database's clock would. Another relay takes it, and
// only the epoch tells the first one.
func (s *saboteur) takeLease(ctx context.Context, service string) {
	if s.endLease(ctx, service) == nil {
		s.tally.took()
	}
}

func (s *saboteur) endLease(ctx context.Context, service string) error {
	_, err := s.db.ExecContext(ctx, "UPDATE millrace_"+service+".lease SET expires_at = 0 WHERE name = 'relay'")
	return err
}

// lay sets one trap and takes it away again. Its connection is thrown away: where ctx ends in between, nobody rolls back, and a
// connection in the pool would keep the locks for ever.
func (s *saboteur) lay(ctx context.Context, trap snare) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	defer func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }()
	before := s.deadlocks(ctx)
	for _, statement := range []string{
		"SET SESSION innodb_lock_wait_timeout = 1",
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", // for the gap where the services insert
		"BEGIN",
		"UPDATE millrace_crash.weight SET n = n + 1",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return
		}
	}
	ids := trap.keys(s)
	s.lock(ctx, conn, trap.hold, ids)
	cluster.Sleep(ctx, time.Duration(10+s.random.IntN(60))*time.Millisecond) // for the services to run into it
	s.lock(ctx, conn, trap.victim, ids)
	_, _ = conn.ExecContext(ctx, "ROLLBACK")
	s.tally.snared(max(0, s.deadlocks(ctx)-before))
}

// lock runs a locking read. Its rows do not matter.
func (s *saboteur) lock(ctx context.Context, conn *sql.Conn, statement string, ids []any) {
	args := ids
	switch {
	case strings.Contains(statement, "@names"):
		args = nil
		for _, id := range ids {
			name, _ := uuid.FromBytes(id.([]byte))
			args = append(args, name.String())
		}
	case !strings.Contains(statement, "@ids"):
		args = nil
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")
	statement = strings.NewReplacer("@ids", marks, "@names", marks).Replace(statement)
	rows, err := conn.QueryContext(ctx, statement, args...)
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
	}
	_ = rows.Err()
}

// deadlocks is the server's own count; it begins anew when the server does.
func (s *saboteur) deadlocks(ctx context.Context) int {
	var name string
	var n int
	_ = s.db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").Scan(&name, &n)
	return n
}

func (s *saboteur) hotOrders() []any {
	orders, _ := s.shop.hot()
	return binary(orders)
}

func (s *saboteur) hotCustomers() []any {
	_, customers := s.shop.hot()
	return binary(customers)
}

// binary gives ids as the databases keep them. There is always one, so that IN (…) is never empty.
func binary(ids []string) []any {
	all := []any{make([]byte, 16)}
	for _, id := range ids {
		if u, err := uuid.Parse(id); err == nil {
			all = append(all, u[:])
		}
	}
	return all
}
