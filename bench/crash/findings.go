package main

import (
	"fmt"
	"os"
	"strings"
)

// findings are the failed checks by kind.
type findings struct {
	lost       []string // acknowledged changes or their events that are missing
	duplicated []string // events or effects that exist twice
	misordered []string // events of a key whose order contradicts their sequence
	unexpected []string // events or states that no request explains
	other      []string // poison messages, two holders of a lease, unexpected exits, work that does not end
}

func (f *findings) addLost(format string, args ...any) {
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}

func (f *findings) addDuplicated(format string, args ...any) {
	f.duplicated = append(f.duplicated, fmt.Sprintf(format, args...))
}

func (f *findings) addMisordered(format string, args ...any) {
	f.misordered = append(f.misordered, fmt.Sprintf(format, args...))
}

func (f *findings) addUnexpected(format string, args ...any) {
	f.unexpected = append(f.unexpected, fmt.Sprintf(format, args...))
}

func (f *findings) addOther(format string, args ...any) {
	f.other = append(f.other, fmt.Sprintf(format, args...))
}

// empty reports whether there are no findings.
func (f *findings) empty() bool {
	return len(f.lost)+len(f.duplicated)+len(f.misordered)+len(f.unexpected)+len(f.other) == 0
}

// maxPrinted is the number of findings of each kind that print prints.
const maxPrinted = 20

// print prints each finding to standard error.
func (f *findings) print() {
	for _, kind := range []struct {
		name string
		all  []string
	}{
		{"lost", f.lost}, {"duplicated", f.duplicated}, {"misordered", f.misordered}, {"unexpected", f.unexpected}, {"other", f.other},
	} {
		for i, finding := range kind.all {
			if i == maxPrinted {
				fmt.Fprintf(os.Stderr, "%s: and %d more\n", kind.name, len(kind.all)-maxPrinted)
				break
			}
			fmt.Fprintf(os.Stderr, "%s: %s\n", kind.name, finding)
		}
	}
}

// summary returns a line with the number of findings of each kind.
func (f *findings) summary() string {
	return fmt.Sprintf("lost %d  duplicated %d  misordered %d  unexpected %d  other %d\n",
		len(f.lost), len(f.duplicated), len(f.misordered), len(f.unexpected), len(f.other))
}

// aggregateOf returns the aggregate of an event type: "order" or "user".
func aggregateOf(eventType string) string {
	aggregate, _, _ := strings.Cut(eventType, ".")
	return aggregate
}
