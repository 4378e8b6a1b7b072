// Command healthcheck asks a service in the same container whether it is ready, because the image has no shell and no curl. It
// exits 0 when the answer is 200 and 1 otherwise, with one line that says why.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// timeout ends a check well before the container's own limit, so that the reason is printed.
const timeout = 3 * time.Second

func main() {
	url := "http://127.0.0.1:8080/readyz"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	if err := check(context.Background(), url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check succeeds when url answers 200 in time.
func check(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("check: %s answers %s", url, response.Status)
	}
	return nil
}
