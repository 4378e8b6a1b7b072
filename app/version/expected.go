// Package version says against which versions of a thing a change may be made.
package version

import (
	"slices"

	"github.com/millrace/millrace/app/fault"
)

// ErrMoved refuses a change that was meant for another version than the thing has.
var ErrMoved = fault.New(fault.Precondition, "precondition_failed",
	"The resource is not at the version that the request expects. Read it again, then decide.")

// Expected are the versions that a caller means to change. Nil is whatever there is; an empty list fits nothing.
type Expected []int64

// Fits reports whether a thing at version is one that the caller means.
func (e Expected) Fits(version int64) bool { return e == nil || slices.Contains(e, version) }

// Check gives ErrMoved for a version that the caller does not mean. Its answer holds only while the thing is locked.
func (e Expected) Check(version int64) error {
	if !e.Fits(version) {
		return ErrMoved
	}
	return nil
}
