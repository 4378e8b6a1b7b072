//go:build !race

package e2e_test

// buildFlags builds the binary with the race detector where the tests run with it.
var buildFlags []string
