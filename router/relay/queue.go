package relay

import "sync"

// unboundedQueue hands values of many goroutines to one. It never blocks the senders and has no bound of its own: what goes in is bounded
// by the window.
type unboundedQueue[T any] struct {
	mu     sync.Mutex
	values []T
	ready  chan struct{}
}

func newUnboundedQueue[T any]() *unboundedQueue[T] {
	return &unboundedQueue[T]{ready: make(chan struct{}, 1)}
}

func (m *unboundedQueue[T]) put(values ...T) {
	m.mu.Lock()
	m.values = append(m.values, values...)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take gives up to limit values, the oldest first; all of them for a limit of 0. What it leaves keeps ready full.
func (m *unboundedQueue[T]) take(limit int) []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit == 0 || limit >= len(m.values) {
		values := m.values
		m.values = nil
		return values
	}
	values := m.values[:limit:limit]
	m.values = m.values[limit:]
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return values
}

func (m *unboundedQueue[T]) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}
