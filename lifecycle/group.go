package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Group is an errgroup.Group that keeps every error, not the first alone, and says what failed.
type Group struct {
	group *errgroup.Group

	mu   sync.Mutex
	errs []error
}

// NewGroup returns a Group and a context that ends at the first failure, with ctx, or when Wait returns.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	group, ctx := errgroup.WithContext(ctx)
	return &Group{group: group}, ctx
}

// Go runs fn in a goroutine of the group. name says in an error what failed.
func (g *Group) Go(name string, fn func() error) {
	g.group.Go(func() error {
		err := fn()
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			g.mu.Lock()
			g.errs = append(g.errs, err)
			g.mu.Unlock()
		}
		return err
	})
}

// Wait waits until all goroutines have returned, and returns all their errors.
func (g *Group) Wait() error {
	_ = g.group.Wait() // the first of g.errs
	return errors.Join(g.errs...)
}
