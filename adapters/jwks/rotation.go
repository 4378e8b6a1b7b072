package jwks

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"
)

// The schedule of signing keys. Each replica computes it from the times at which keys were made, so that all agree without talking to each
// other. Nobody is signed out by a change of keys: a new one is published long before it signs, and an old one until every token that
// it signed has ended.
const (
	// RotateEvery is how old the newest key may be before the next is made.
	RotateEvery = 30 * 24 * time.Hour
	// PublishAhead is how long a key is published before it signs: far longer than anybody caches a key set.
	PublishAhead = 24 * time.Hour
	// RetireAfter is how long a key stays behind the last token that it signed.
	RetireAfter = AccessLasts + time.Hour

	rotationCheck = time.Hour
)

// Run keeps the keys on schedule until ctx ends. A database that is away delays that and nothing else.
func (k *Keyring) Run(ctx context.Context) error {
	check := time.NewTicker(rotationCheck)
	defer check.Stop()
	for {
		if err := k.Rotate(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Logger.WarnContext(ctx, "signing keys could not be looked after, trying again within the hour", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-check.C:
		}
	}
}

// Rotate reads the keys, makes the next where the newest is old, and erases those that nobody needs any more. Of replicas that do so
// at once one makes the key.
func (k *Keyring) Rotate(ctx context.Context) error {
	keys, err := k.read(ctx)
	if err != nil {
		return err
	}
	due := len(keys.pairs) == 0 || k.now().Sub(keys.pairs[len(keys.pairs)-1].made) >= RotateEvery
	if due {
		if err := k.add(ctx, keys.newest); err != nil {
			return err
		}
	}
	ended := k.ended(keys.pairs)
	if len(ended) > 0 {
		if err := k.cfg.Store.DeleteKeys(ctx, ended...); err != nil {
			return fmt.Errorf("erase old signing keys: %w", err)
		}
		k.cfg.Logger.InfoContext(ctx, "old signing keys were erased", slog.Int("keys", len(ended)))
	}
	if due || len(ended) > 0 {
		if keys, err = k.read(ctx); err != nil {
			return err
		}
	}
	k.use(keys)
	return nil
}

// ended gives the keys whose successors have been signing for so long that no token of theirs is good any more.
func (k *Keyring) ended(pairs []keyPair) (ids []string) {
	for i := range len(pairs) - 1 {
		if k.now().Sub(pairs[i+1].made) >= PublishAhead+RetireAfter {
			ids = append(ids, pairs[i].id)
		}
	}
	return ids
}

// add makes the key behind newest, unless another replica has done so.
func (k *Keyring) add(ctx context.Context, newest string) error {
	public, private, err := ed25519.GenerateKey(k.cfg.Random)
	if err != nil {
		return fmt.Errorf("draw a signing key: %w", err)
	}
	id, err := thumbprint(public)
	if err != nil {
		return err
	}
	sealed, err := k.sealer.seal(id, private)
	if err != nil {
		return err
	}
	next := StoredKey{ID: id, Public: public, Sealed: sealed, CreatedAt: k.now().UTC()}
	added, err := k.cfg.Store.AddKey(ctx, next, newest)
	if err != nil {
		return fmt.Errorf("store a signing key: %w", err)
	}
	if added {
		k.cfg.Logger.InfoContext(ctx, "a signing key was made", slog.String("key_id", id))
	}
	return nil
}
