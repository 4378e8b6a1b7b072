package jwks

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/fault"
)

var errKeysStale = fault.New(fault.Unavailable, "keys_stale",
	"The keys that check access tokens could not be renewed for a while. The known ones stay good.")

// Ready reports whether there are keys, and fetches them where there are none: without any, no token can be checked. Once there are some
// it never fails again.
func (r *Remote) Ready(ctx context.Context) error {
	if r.keys.Load() != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys.Load() == nil {
		r.reload(ctx)
	}
	if r.keys.Load() == nil {
		return errKeysAway.Because(r.failed)
	}
	return nil
}

// Fresh reports whether the keys are as new as they should be, and renews them if not. It fails while they cannot be fetched: the known
// ones stay good, but tokens signed with a newer one are refused.
func (r *Remote) Fresh(ctx context.Context) error {
	if r.keys.Load() == nil || r.fresh() || !r.mu.TryLock() { // there are none yet, or somebody else is about it
		return nil
	}
	defer r.mu.Unlock()
	if r.reload(ctx); !r.fresh() {
		return errKeysStale.Because(r.failed)
	}
	return nil
}

func (r *Remote) fresh() bool { return r.now().UnixNano()-r.loaded.Load() < int64(refreshEvery) }

// Run fetches the first keys, for as long as it takes or until ctx ends, so that the first caller need not wait for them and a wrong
// address is in the log at once.
func (r *Remote) Run(ctx context.Context, log *slog.Logger) error {
	again := time.NewTicker(retryEvery)
	defer again.Stop()
	for told := false; ; {
		err := r.Ready(ctx)
		switch {
		case err == nil && told:
			log.InfoContext(ctx, "the public keys were fetched")
			return nil
		case err == nil || ctx.Err() != nil:
			return nil
		case !told:
			log.WarnContext(ctx, "the public keys cannot be fetched; until then nobody's access token can be checked", "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
