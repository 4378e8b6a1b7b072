package main

import (
	"fmt"
	"os"
	"strings"
)

// findings are what should be empty.
type findings struct {
	lost       []string // an acknowledged change, or an event of one, that is not there
	doubled    []string // an event or an effect that is there twice
	disordered []string // events of a key that contradict their sequence
	phantom    []string // an event or a state that no request explains
	other      []string // poison, two holders of a lease, a process that ended by itself, a flow that got stuck
}

func (f *findings) addLost(format string, args ...any) {
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}

func (f *findings) addDoubled(format string, args ...any) {
	f.doubled = append(f.doubled, fmt.Sprintf(format, args...))
}

func (f *findings) addDisordered(format string, args ...any) {
	f.disordered = append(f.disordered, fmt.Sprintf(format, args...))
}

func (f *findings) addPhantom(format string, args ...any) {
	f.phantom = append(f.phantom, fmt.Sprintf(format, args...))
}

func (f *findings) addOther(format string, args ...any) {
	f.other = append(f.other, fmt.Sprintf(format, args...))
}

// green reports whether nothing was found.
func (f *findings) green() bool {
	return len(f.lost)+len(f.doubled)+len(f.disordered)+len(f.phantom)+len(f.other) == 0
}

// shown is how many findings of a kind are told one by one.
const shown = 20

// print tells the findings one by one.
func (f *findings) print() {
	for _, kind := range []struct {
		name string
		all  []string
	}{{"lost", f.lost}, {"doubled", f.doubled}, {"disordered", f.disordered}, {"phantom", f.phantom}, {"other", f.other}} {
		for i, one := range kind.all {
			if i == shown {
				fmt.Fprintf(os.Stderr, "%s: and %d more\n", kind.name, len(kind.all)-shown)
				break
			}
			fmt.Fprintf(os.Stderr, "%s: %s\n", kind.name, one)
		}
	}
}

// line counts them.
func (f *findings) line() string {
	return fmt.Sprintf("lost %d  doubled %d  disordered %d  phantom %d  other %d\n",
		len(f.lost), len(f.doubled), len(f.disordered), len(f.phantom), len(f.other))
}

// prefix tells an order's events from a user's.
func prefix(kind string) string {
	p, _, _ := strings.Cut(kind, ".")
	return p
}
