package cluster

import (
	"context"
	"fmt"
	"net"
	"time"
)

// PauseFor waits for d, or less when ctx ends, and says whether it was the whole of it.
func PauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Eventually tries until try succeeds; at the limit it gives the last error.
func Eventually(ctx context.Context, limit time.Duration, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		attempt, end := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		end()
		if err == nil {
			return nil
		}
		if !PauseFor(ctx, 100*time.Millisecond) {
			return fmt.Errorf("after %s: %w", limit, err)
		}
	}
}

// Listening succeeds when somebody accepts connections at address.
func Listening(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// FreeAddress gives a loopback address that nobody listens at. It stays the process's own across its restarts.
func FreeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
