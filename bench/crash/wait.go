package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// pauseFor waits for d, or less when ctx ends, and says whether it was the whole of it.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// eventually tries until try succeeds; at the limit it gives the last error.
func eventually(ctx context.Context, limit time.Duration, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		attempt, end := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		end()
		if err == nil {
			return nil
		}
		if !pauseFor(ctx, 100*time.Millisecond) {
			return fmt.Errorf("after %s: %w", limit, err)
		}
	}
}

// listening succeeds when somebody accepts connections at address.
func listening(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// freeAddress gives a loopback address that nobody listens at. It stays the process's own across its restarts.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
