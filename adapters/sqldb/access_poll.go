package sqldb

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/millrace/millrace/app/principal"
)

const (
	accessPollEvery = time.Second
	accessTidyEvery = time.Minute
	// accessOverlap is read again each time: a row becomes visible with its commit, which comes after its time. It is far above how
	// long a transaction may take.
	accessOverlap    = 30 * time.Second
	accessReadAtMost = 3 * time.Second // a database that hangs is asked again on another connection
	// accessMargin is added to the life of a token before a change is forgotten, for clocks that differ.
	accessMargin    = 15 * time.Minute
	accessPurgeStep = 500
)

// Run polls until ctx ends.
func (a *Access) Run(ctx context.Context) error {
	poll, tidy := time.NewTicker(accessPollEvery), time.NewTicker(accessTidyEvery)
	defer poll.Stop()
	defer tidy.Stop()
	failing := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			err = a.Poll(ctx)
		case <-tidy.C:
			err = a.tidy(ctx)
		}
		if err != nil && ctx.Err() == nil && !failing {
			a.db.log.WarnContext(ctx, "changes of access cannot be read; those that are known stay", "error", err)
		}
		if failing && err == nil {
			a.db.log.InfoContext(ctx, "changes of access can be read again")
		}
		failing = err != nil
	}
}

// Load reads every change that a token may be older than, and forgets the others.
func (a *Access) Load(ctx context.Context) error {
	changes, seen, err := a.read(ctx, a.db.dialect.now()+" - ?", (a.lasts + accessMargin).Microseconds())
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.seen = changes, seen
	return nil
}

// Poll reads what was noted since the newest known change, and a while before it. It uses no clock of this process, which may have slept.
func (a *Access) Poll(ctx context.Context) error {
	a.mu.RLock()
	from := a.seen - accessOverlap.Microseconds()
	a.mu.RUnlock()
	changes, seen, err := a.read(ctx, "?", from)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(a.known, changes)
	a.seen = max(a.seen, seen)
	return nil
}

// read gives the changes from a time on, and the time of the newest.
func (a *Access) read(ctx context.Context, from string, arg int64) (changes map[[16]byte]rights, seen int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, accessReadAtMost)
	defer cancel()
	rows, err := a.db.Query(ctx, "SELECT user_id, role, deleted, changed_at, noted_at FROM access_changes"+
		a.db.dialect.UseIndex("access_changes_noted")+" WHERE noted_at >= "+from, arg)
	if err != nil {
		return nil, 0, fmt.Errorf("read changes of access: %w", err)
	}
	defer func() { _ = rows.Close() }()
	changes = map[[16]byte]rights{}
	for rows.Next() {
		var (
			id           []byte
			role         string
			deleted      bool
			since, noted int64
		)
		if err := rows.Scan(&id, &role, &deleted, &since, &noted); err != nil {
			return nil, 0, fmt.Errorf("read changes of access: %w", err)
		}
		changes[[16]byte(id)] = rights{role: principal.Role(role), deleted: deleted, since: FromMicros(since)}
		seen = max(seen, noted)
	}
	return changes, seen, rows.Err()
}

// tidy deletes what no token is older than, in the database and in memory. Replicas may do so at once.
func (a *Access) tidy(ctx context.Context) error {
	for {
		n, err := a.Purge(ctx, accessPurgeStep)
		if err != nil {
			return err
		}
		if n < accessPurgeStep {
			return a.Load(ctx)
		}
	}
}

// Purge deletes up to most changes that no token is older than, and says how many it met.
func (a *Access) Purge(ctx context.Context, most int) (int64, error) {
	rows, err := a.db.Query(ctx, "SELECT user_id FROM access_changes"+a.db.dialect.UseIndex("access_changes_noted")+
		" WHERE noted_at < "+a.db.dialect.now()+" - ? LIMIT ?",
		(a.lasts + accessMargin).Microseconds(), most)
	if err != nil {
		return 0, fmt.Errorf("read old changes of access: %w", err)
	}
	old, err := Collect(rows, scanID)
	if err != nil || len(old) == 0 {
		return 0, wrap("read old changes of access", err)
	}
	// By primary key, as in Purge, and only what was not noted again meanwhile.
	_, err = a.db.single(ctx, "DELETE FROM access_changes WHERE user_id IN "+Placeholders(len(old))+" AND noted_at + 0 < "+
		a.db.dialect.now()+" - ?"+a.db.dialect.Limit(len(old)), append(old, (a.lasts+accessMargin).Microseconds())...)
	if err != nil {
		return 0, fmt.Errorf("purge changes of access: %w", err)
	}
	return int64(len(old)), nil
}
