package command

import (
	"context"
	"sync"

	"github.com/millrace/millrace/app/limit"
)

// turns lets a limited number of callers with the same name proceed at a time, within this process; the others wait.
type turns struct {
	mu    sync.Mutex
	names map[string]*queue
}

type queue struct {
	slots chan struct{}
	users int // that hold a slot or wait for one; without any the queue is forgotten
}

func newTurns() *turns { return &turns{names: map[string]*queue{}} }

// take waits for a turn, at most until ctx ends. done passes it on.
func (t *turns) take(ctx context.Context, name string, atOnce int) (done func(), err error) {
	q := t.enter(name, atOnce)
	select {
	case q.slots <- struct{}{}:
		return func() { <-q.slots; t.leave(name, q) }, nil
	case <-ctx.Done():
		t.leave(name, q)
		return nil, ctx.Err()
	}
}

func (t *turns) enter(name string, atOnce int) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q, there := t.names[name]
	if !there {
		q = &queue{slots: make(chan struct{}, atOnce)}
		t.names[name] = q
	}
	q.users++
	return q
}

func (t *turns) leave(name string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.names, name)
	}
}

// own is the origin of what the process does by itself.
var own = limit.Origin{Known: true}
