package jwks

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/fault"
)

var errKeysStale = fault.New(fault.Unavailable, "keys_stale",
	"The keys that check access tokens could not be renewed for a while. The known ones stay good.")

// Ready reports whether there are keys, from what is known: without any, no token can be checked. Where there are none it has them fetched
// and does not wait for that. Once there are some it never fails again.
func (r *Remote) Ready(ctx context.Context) error {
	if r.keys.Load() != nil {
		return nil
	}
	r.reload(ctx)
	if err := r.failure(); err != nil {
		return errKeysAway.Because(err)
	}
	if r.keys.Load() == nil {
		return errKeysAway.Because(errLoading)
	}
	return nil
}

// Fresh reports whether the keys are as new as they should be, from what is known. Where they are not it has them fetched and does not wait
// for that. It fails while they cannot be fetched: the known ones stay good, but tokens signed with a newer one are refused.
func (r *Remote) Fresh(ctx context.Context) error {
	if r.keys.Load() == nil || r.age() < refreshEvery { // there are none yet: Ready says so
		return nil
	}
	r.reload(ctx)
	if err := r.failure(); err != nil {
		return errKeysStale.Because(err)
	}
	return nil
}

// Run keeps the keys fresh until ctx ends: the first are there before anybody needs them, a wrong address is in the log at once, and a key
// that was withdrawn is forgotten also where no token comes.
func (r *Remote) Run(ctx context.Context, log *slog.Logger) error {
	again := time.NewTicker(retryEvery)
	defer again.Stop()
	for told := false; ; {
		if err := r.fetched(ctx); err != nil && ctx.Err() == nil && r.keys.Load() == nil && !told {
			log.WarnContext(ctx, "the public keys cannot be fetched; until then nobody's access token can be checked", "error", err)
			told = true
		}
		if told && r.keys.Load() != nil {
			log.InfoContext(ctx, "the public keys were fetched")
			told = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// fetched has the keys fetched where they are not fresh, and waits for that until ctx ends.
func (r *Remote) fetched(ctx context.Context) error {
	if r.keys.Load() != nil && r.age() < refreshEvery {
		return nil
	}
	if running := r.reload(ctx); running != nil {
		select {
		case <-running:
		case <-ctx.Done():
		}
	}
	return r.failure()
}
