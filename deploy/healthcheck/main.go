// Command healthcheck asks a service in the same container whether it is ready, because the image has no shell and no curl. It
// exits 0 when the answer is 200 and 1 otherwise, with one line that says why.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
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
		return fmt.Errorf("check: %s answers %s%s", url, response.Status, reasons(response.Body))
	}
	return nil
}

// longestReport is far above a readiness report.
const longestReport = 64 << 10

// reasons says what a readiness report says: its status, and the checks that failed. It is empty where body is none.
func reasons(body io.Reader) string {
	var report struct {
		Status string `json:"status"`
		Checks map[string]struct {
			Status string `json:"status"`
			Detail string `json:"detail"`
		} `json:"checks"`
	}
	if json.NewDecoder(io.LimitReader(body, longestReport)).Decode(&report) != nil {
		return ""
	}
	failed := []string{report.Status}
	for _, name := range slices.Sorted(maps.Keys(report.Checks)) {
		if c := report.Checks[name]; c.Status != "ok" {
			failed = append(failed, strings.TrimSuffix(name+": "+c.Detail, ": "))
		}
	}
	return ": " + strings.Join(failed, "; ")
}
