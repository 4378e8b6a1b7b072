package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/idempotency"
)

// rememberAttempts bounds how often Remember looks again at a row that a purge takes away meanwhile.
const rememberAttempts = 3

// Remember keeps the answer to a request together with what else tx does; a nil record is ignored. It comes first, so that the same
// request, sent meanwhile, waits for the commit. The error is an *idempotency.Replay where the request was answered before,
// idempotency.ErrReused where its key came with another body.
func (tx *Tx) Remember(ctx context.Context, r *idempotency.Record) error {
	if r == nil {
		return nil
	}
	for range rememberAttempts {
		kept, err := tx.remember(ctx, r)
		if err != nil || kept {
			return err
		}
	}
	return errors.New("remember an answer: the row comes and goes")
}

func (tx *Tx) remember(ctx context.Context, r *idempotency.Record) (kept bool, err error) {
	made, err := tx.Exec(ctx, tx.dialect.InsertIgnore()+` idempotency
		(id, fingerprint, owner, status, location, etag, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Key.ID[:], r.Key.Fingerprint[:], r.Owner[:], r.Answer.Status, r.Answer.Location, r.Answer.ETag, r.Answer.Body, Micros(r.At))
	if err != nil || made == 1 {
		return err == nil, wrap("remember an answer", err)
	}
	var (
		before      idempotency.Answer
		fingerprint []byte
		createdAt   int64
	)
	err = tx.QueryRow(ctx, "SELECT fingerprint, status, location, etag, body, created_at FROM idempotency WHERE id = ?", r.Key.ID[:]).
		Scan(&fingerprint, &before.Status, &before.Location, &before.ETag, &before.Body, &createdAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read an answer: %w", err)
	case createdAt <= Micros(r.At.Add(-idempotency.KeptFor)): // to be purged at any moment
		_, err := tx.Exec(ctx, "DELETE FROM idempotency WHERE id = ? AND created_at = ?", r.Key.ID[:], createdAt)
		return false, wrap("forget an answer", err)
	case [32]byte(fingerprint) != r.Key.Fingerprint:
		return false, idempotency.ErrReused
	}
	return false, &idempotency.Replay{Answer: before}
}

// ForgetAnswers deletes up to most kept answers that hold data of a user, and gives their number. They are read without locks and deleted
// by primary key, so that it waits for no transaction that keeps another answer.
func (tx *Tx) ForgetAnswers(ctx context.Context, owner uuid.UUID, most int) (int, error) {
	rows, err := tx.Query(ctx, "SELECT id FROM idempotency"+tx.dialect.UseIndex("idempotency_owner")+" WHERE owner = ? LIMIT ?",
		owner[:], most)
	if err != nil {
		return 0, fmt.Errorf("read a user's answers: %w", err)
	}
	ids, err := Collect(rows, scanID)
	if err != nil || len(ids) == 0 {
		return 0, wrap("read a user's answers", err)
	}
	tx.Erases()
	_, err = tx.Exec(ctx, "DELETE FROM idempotency WHERE id IN "+Placeholders(len(ids))+tx.dialect.Limit(len(ids)), ids...)
	return len(ids), wrap("forget a user's answers", err)
}

// RedactAnswers takes out of a user's kept answers what must not be kept any longer: of those that name a place, there is one for each key
// under which it was made. Their keys stay used.
func (tx *Tx) RedactAnswers(ctx context.Context, owner uuid.UUID, r idempotency.Redaction) error {
	if r.Body == nil {
		return nil
	}
	rows, err := tx.Query(ctx, "SELECT id, body FROM idempotency"+tx.dialect.UseIndex("idempotency_owner")+
		" WHERE owner = ? AND location = ?", owner[:], r.Location)
	if err != nil {
		return fmt.Errorf("read the answers about %s: %w", r.Location, err)
	}
	answers, err := Collect(rows, func(r Scanner) (a keptAnswer, err error) { return a, r.Scan(&a.id, &a.body) })
	if err != nil {
		return fmt.Errorf("read the answers about %s: %w", r.Location, err)
	}
	for _, a := range answers {
		redacted, err := r.Body(a.body)
		if err != nil {
			return fmt.Errorf("redact an answer about %s: %w", r.Location, err)
		}
		if _, err := tx.Exec(ctx, "UPDATE idempotency SET body = ? WHERE id = ?", redacted, a.id); err != nil {
			return fmt.Errorf("redact an answer about %s: %w", r.Location, err)
		}
	}
	return nil
}

type keptAnswer struct{ id, body []byte }

// scanID reads a row of one binary column, as an argument of the next statement.
func scanID(r Scanner) (any, error) {
	var id []byte
	err := r.Scan(&id)
	return id, err
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
