package argon

import "slices"

// line is a queue of attempts, or of lines that take turns.
type line struct {
	name    string
	count   int              // attempts in it
	lines   map[string]*line // by name; each has attempts
	turns   []*line          // the same; the first is next
	waiting []*waiter        // of a line without lines
}

// push adds w at the end of the line that path leads to.
func (l *line) push(path []string, w *waiter) {
	l.count++
	if len(path) == 0 {
		l.waiting = append(l.waiting, w)
		return
	}
	next, found := l.lines[path[0]]
	if !found {
		next = &line{name: path[0]}
		if l.lines == nil {
			l.lines = map[string]*line{}
		}
		l.lines[path[0]] = next
		l.turns = append(l.turns, next)
	}
	next.push(path[1:], w)
}

// first is the attempt that pop takes out.
func (l *line) first() *waiter {
	if len(l.turns) == 0 {
		return l.waiting[0]
	}
	return l.turns[0].first()
}

// pop takes out the attempt whose turn it is; the line that it stood in is then the last of its neighbours.
func (l *line) pop() *waiter {
	l.count--
	if len(l.turns) == 0 {
		w := l.waiting[0]
		l.waiting = l.waiting[1:]
		return w
	}
	next := l.turns[0]
	w := next.pop()
	if l.turns = l.turns[1:]; next.count > 0 {
		l.turns = append(l.turns, next)
	} else {
		delete(l.lines, next.name)
	}
	return w
}

// remove takes w out, and reports whether it was there.
func (l *line) remove(path []string, w *waiter) bool {
	if len(path) == 0 {
		at := slices.Index(l.waiting, w)
		if at < 0 {
			return false
		}
		l.waiting = slices.Delete(l.waiting, at, at+1)
		l.count--
		return true
	}
	next, found := l.lines[path[0]]
	if !found || !next.remove(path[1:], w) {
		return false
	}
	l.count--
	l.tidy(next)
	return true
}

// dropNewest takes out the newest attempt of the longest line.
func (l *line) dropNewest() *waiter {
	l.count--
	if len(l.turns) == 0 {
		w := l.waiting[len(l.waiting)-1]
		l.waiting = l.waiting[:len(l.waiting)-1]
		return w
	}
	longest := l.longest()
	w := longest.dropNewest()
	l.tidy(longest)
	return w
}

// tidy forgets a line without attempts.
func (l *line) tidy(other *line) {
	if other.count > 0 {
		return
	}
	delete(l.lines, other.name)
	l.turns = slices.DeleteFunc(l.turns, func(o *line) bool { return o == other })
}

func (l *line) longest() *line {
	return slices.MaxFunc(l.turns, func(a, b *line) int { return a.count - b.count })
}

func (l *line) countOf(name string) int {
	if next, found := l.lines[name]; found {
		return next.count
	}
	return 0
}
