package relay

import "sync"

// mailbox hands values of many goroutines to one. It never blocks the senders and has no bound of its own: what goes in is bounded
// by the window.
type mailbox[T any] struct {
	mu     sync.Mutex
	values []T
	ready  chan struct{}
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{ready: make(chan struct{}, 1)} }

func (m *mailbox[T]) put(values ...T) {
	m.mu.Lock()
	m.values = append(m.values, values...)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take gives up to limit values, the oldest first; all of them for a limit of 0. What it leaves keeps ready full.
func (m *mailbox[T]) take(limit int) []T {
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

func (m *mailbox[T]) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}
