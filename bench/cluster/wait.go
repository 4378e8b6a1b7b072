package cluster

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Sleep waits for d or until ctx is done. It reports whether d elapsed.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Eventually calls condition until it returns nil. After limit it returns the last error.
func Eventually(ctx context.Context, limit time.Duration, condition func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		attempt, cancelAttempt := context.WithTimeout(ctx, 5*time.Second)
		err := condition(attempt)
		cancelAttempt()
		if err == nil {
			return nil
		}
		if !Sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("after %s: %w", limit, err)
		}
	}
}

// CheckListening returns an error unless address accepts a TCP connection.
func CheckListening(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// FreeAddress returns a loopback address with a port that is not in use. The caller keeps the address across restarts of the process
// that listens on it.
func FreeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
