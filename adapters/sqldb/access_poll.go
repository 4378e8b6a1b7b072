package sqldb

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/millrace/millrace/app/principal"
)

const (
	accessPollEvery = time.Second
	accessTidyEvery = time.Minute
	// accessOverlap is read again each time: a row becomes visible with its commit, which comes after its time. It is far above how
	// long a transaction may take.
	accessOverlap    = 30 * time.Second
	accessReadAtMost = 1500 * time.Millisecond // a database that hangs is asked again on another connection
	// accessMargin is added to the life of a token before a change is forgotten, for clocks that differ.
	accessMargin    = 15 * time.Minute
	accessPurgeStep = 500
)

// Run polls until ctx ends. What is tidied meanwhile may wait for other writes; the polls do not.
func (a *Access) Run(ctx context.Context) error {
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { a.repeat(ctx, accessTidyEvery, "delete old changes", a.tidy) })
	a.repeat(ctx, accessPollEvery, "read changes", a.Poll)
	return nil
}

// repeat calls step again and again until ctx ends, and logs when it begins to fail and when it works again.
func (a *Access) repeat(ctx context.Context, every time.Duration, work string, step func(context.Context) error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := step(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			a.db.log.WarnContext(ctx, "access changes: work failed and is repeated", "work", work, "error", err)
		}
		if failing && err == nil {
			a.db.log.InfoContext(ctx, "access changes: work succeeds again", "work", work)
		}
		failing = err != nil
	}
}

// Load reads every change that a token may be older than, and forgets the others.
func (a *Access) Load(ctx context.Context) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	began := time.Now()
	changes, seen, err := a.read(ctx, a.db.dialect.now()+" - ?", (a.lasts + accessMargin).Microseconds())
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.seen, a.good = changes, seen, began
	return nil
}

// Poll reads what was noted since the newest known change, and a while before it. It uses no clock of this process, which may have slept.
func (a *Access) Poll(ctx context.Context) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	began := time.Now()
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
	a.seen, a.good = max(a.seen, seen), began
	return nil
}

// read gives the changes from a time on, and the time of the newest.
func (a *Access) read(ctx context.Context, from string, arg int64) (changes map[[16]byte]rights, seen int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, accessReadAtMost)
	defer cancel()
	rows, err := a.db.query(ctx, a.db.control, "SELECT user_id, role, deleted, changed_at, noted_at FROM access_changes"+
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
