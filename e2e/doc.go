// Package e2e tests the built binary from outside: its API, its output, its files and its exit codes.
package e2e
