package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/ports/rest"
)

// maxDocument bounds what is read of a service's answer.
const maxDocument = 16 << 20

// answer is what a service said at a path.
type answer struct {
	status int
	body   map[string]json.RawMessage
}

// ask asks every service for path, all at once. The answers are in the order of the upstreams.
func (g *Gateway) ask(ctx context.Context, path string) ([]answer, error) {
	answers := make([]answer, len(g.upstreams))
	group, ctx := errgroup.WithContext(ctx)
	for i, u := range g.upstreams {
		group.Go(func() (err error) {
			answers[i], err = g.askOne(ctx, u, path)
			return err
		})
	}
	return answers, group.Wait()
}

func (g *Gateway) askOne(ctx context.Context, u upstream, path string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.URL.JoinPath(path).String(), nil)
	if err != nil {
		return a, err
	}
	res, err := g.client.Do(req)
	if err != nil {
		return a, fmt.Errorf("ask the %s service: %w", u.Name, err)
	}
	defer func() { _ = res.Body.Close() }()
	a.status = res.StatusCode
	if err := json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&a.body); err != nil {
		return a, fmt.Errorf("read %s of the %s service: %w", path, u.Name, err)
	}
	return a, nil
}

// ready answers with the checks of all services. It is ready where each of them is.
func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) {
	status, report := http.StatusOK, map[string]json.RawMessage{}
	for _, u := range g.upstreams {
		a, err := g.askOne(r.Context(), u, "/readyz")
		if err != nil {
			a = answer{status: http.StatusServiceUnavailable, body: map[string]json.RawMessage{"status": []byte(`"unreachable"`)}}
		}
		if a.status != http.StatusOK {
			status = http.StatusServiceUnavailable
		}
		body, err := json.Marshal(a.body)
		if err != nil {
			body = []byte("null")
		}
		report[u.Name] = body
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": readiness(status), "services": report})
}

func readiness(status int) string {
	if status == http.StatusOK {
		return "ready"
	}
	return "unready"
}

// openAPI answers with the document of the routes of all services.
func (g *Gateway) openAPI(w http.ResponseWriter, r *http.Request) {
	documents, err := g.ask(r.Context(), "/openapi.json")
	if err != nil {
		rest.WriteProblem(w, r, errAway.Because(err))
		return
	}
	merged, err := merge(documents)
	if err != nil {
		rest.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(merged)
}

// merge joins OpenAPI documents: paths and components of all of them, everything else as in the first. What several have is the same in
// each, since the edge of all services is one.
func merge(documents []answer) ([]byte, error) {
	paths := map[string]json.RawMessage{}
	components := map[string]map[string]json.RawMessage{}
	for _, d := range documents {
		if err := json.Unmarshal(d.body["paths"], &paths); err != nil {
			return nil, fmt.Errorf("read the paths of a service: %w", err)
		}
		var own map[string]map[string]json.RawMessage
		if err := json.Unmarshal(d.body["components"], &own); err != nil {
			return nil, fmt.Errorf("read the components of a service: %w", err)
		}
		for kind, named := range own {
			if components[kind] == nil {
				components[kind] = map[string]json.RawMessage{}
			}
			maps.Copy(components[kind], named)
		}
	}
	whole := map[string]any{}
	for key, value := range documents[0].body {
		whole[key] = value
	}
	whole["paths"], whole["components"] = paths, components
	return json.Marshal(whole)
}
