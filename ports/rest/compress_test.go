package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

// large is a server with answers of many kinds, each of a name as long as the query says.
func large(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	type input struct {
		Size int `query:"size"`
	}
	type output struct{ Body thing }
	type tagged struct {
		rest.Versioned
		Body thing
	}
	answer := func(_ context.Context, in *input) (*output, error) {
		return &output{Body: thing{Name: strings.Repeat("x", in.Size)}}, nil
	}
	api := f.server.API()
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "list", Method: http.MethodGet, Path: "/api/list"}), answer)
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "auth", Method: http.MethodGet, Path: "/api/auth/list"}), answer)
	rest.Register(api, huma.Operation{OperationID: "unstored", Method: http.MethodGet, Path: "/api/unstored"}, answer)
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "tagged", Method: http.MethodGet, Path: "/api/tagged"}),
		func(_ context.Context, in *input) (*tagged, error) {
			return &tagged{Versioned: rest.Version(1), Body: thing{Name: strings.Repeat("x", in.Size)}}, nil
		})
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "breaks", Method: http.MethodGet, Path: "/api/breaks"}),
		func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				ctx.SetHeader("Content-Type", "application/json")
				ctx.SetStatus(http.StatusOK)
				panic("before the body")
			}}, nil
		})
	return f
}

func (f *fixture) accepting(t *testing.T, method, path string, encodings ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer user")
	r.Header["Accept-Encoding"] = encodings
	return f.do(t, r)
}

func unpacked(t *testing.T, res *http.Response) string {
	t.Helper()
	require.Equal(t, []string{"gzip"}, res.Header["Content-Encoding"])
	r, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(data)
}

func TestLargeAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	f := large(t)
	plain := f.accepting(t, http.MethodGet, "/api/list?size=2000")
	require.Empty(t, plain.Header["Content-Encoding"])
	require.Equal(t, []string{"Accept-Encoding"}, plain.Header["Vary"], "a cache must know that it could have been")
	packed := f.accepting(t, http.MethodGet, "/api/list?size=2000", "br, gzip")
	require.Equal(t, []string{"Accept-Encoding"}, packed.Header["Vary"])
	require.Equal(t, "private, no-cache", packed.Header.Get("Cache-Control"))
	require.Equal(t, text(t, plain), unpacked(t, packed))

	small := f.accepting(t, http.MethodGet, "/api/list?size=20", "gzip")
	require.Empty(t, small.Header["Content-Encoding"])
	require.Equal(t, []string{"Accept-Encoding"}, small.Header["Vary"])
	require.JSONEq(t, `{"name":"xxxxxxxxxxxxxxxxxxxx"}`, text(t, small))

	document := f.accepting(t, http.MethodGet, "/openapi.json", "gzip")
	require.True(t, json.Valid([]byte(unpacked(t, document))))
}

func TestTheClientsWordOnCompressionCounts(t *testing.T) {
	t.Parallel()
	f := large(t)
	for lines, packed := range map[string]bool{
		"gzip": true, "GZIP": true, "x-gzip": true, "*": true, "gzip;q=0.5": true, "deflate, gzip;q=1.0, *;q=0.5": true, "br\ngzip": true,
		"identity;q=0, gzip": true, "gzip, identity": true, "gzip;q=0": false, "gzip;q=0.000": false, "*;q=0": false, "gzip;q=0, *": false,
		"identity": false, "br": false, "": false, "gzip;q=0.5, identity": false, "gzip;q=x": false, "gzip;q=2": false, "gzip;v=1": false,
		"gzipped": false, "gzip;q=NaN": false,
	} {
		res := f.accepting(t, http.MethodGet, "/api/list?size=2000", strings.Split(lines, "\n")...)
		require.Equal(t, packed, res.Header.Get("Content-Encoding") == "gzip", lines)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
}

func TestWhatIsNeverCompressed(t *testing.T) {
	t.Parallel()
	f := large(t)
	for name, path := range map[string]string{
		"what is not to be stored":  "/api/unstored?size=2000",
		"answers of sign-in":        "/api/auth/list?size=2000",
		"what has an entity tag":    "/api/tagged?size=2000",
		"what is compressed itself": "/docs/swagger-ui.css",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := f.accepting(t, http.MethodGet, path, "gzip")
			require.Equal(t, http.StatusOK, res.StatusCode)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			if res.Header.Get("Content-Encoding") == "" {
				require.Greater(t, len(body), 1000)
				return
			}
			once, err := gzip.NewReader(bytes.NewReader(body))
			require.NoError(t, err)
			data, err := io.ReadAll(once)
			require.NoError(t, err)
			require.NotEqual(t, []byte{0x1f, 0x8b}, data[:2], "not twice")
		})
	}
}

func TestCompressionKeepsHTTPRight(t *testing.T) {
	t.Parallel()
	f := large(t)
	srv := httptest.NewServer(f.server.Handler())
	defer srv.Close()
	ask := func(method, path string, headers ...string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer user")
		r.Header.Set("Accept-Encoding", "gzip")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	head := ask(http.MethodHead, "/api/list?size=2000")
	require.Equal(t, []string{"gzip"}, head.Header["Content-Encoding"])
	require.Empty(t, text(t, head))
	require.Contains(t, unpacked(t, ask(http.MethodGet, "/api/list?size=2000")), "xxx")

	known := ask(http.MethodGet, "/api/tagged?size=2000", "If-None-Match", `"1"`)
	require.Equal(t, http.StatusNotModified, known.StatusCode)
	require.Equal(t, `"1"`, known.Header.Get("ETag"))
	require.Empty(t, text(t, known))

	broken := ask(http.MethodGet, "/api/breaks")
	require.Empty(t, broken.Header["Content-Encoding"])
	problem(t, broken, 500)
}

func TestStreamsReachTheClientPieceByPiece(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"text/event-stream", "application/json"} {
		f := setup(t)
		read := make(chan bool)
		rest.Register(f.server.API(), rest.Cached(huma.Operation{OperationID: "stream", Method: http.MethodGet, Path: "/api/stream"}, "no-cache"),
			func(context.Context, *struct{}) (*huma.StreamResponse, error) {
				return &huma.StreamResponse{Body: func(ctx huma.Context) {
					ctx.SetHeader("Content-Type", media)
					w, _ := ctx.BodyWriter().(http.ResponseWriter)
					for _, size := range []int{10, 2000, 10} {
						_, _ = w.Write(bytes.Repeat([]byte("x"), size))
						if http.NewResponseController(w).Flush() != nil || !<-read {
							return
						}
					}
				}}, nil
			})
		srv := httptest.NewServer(f.server.Handler())
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/stream", nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", "gzip")
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		for _, size := range []int{10, 2000, 10} {
			_, err := io.ReadFull(res.Body, make([]byte, size))
			require.NoError(t, err, "it is there before the next is written")
			read <- true
		}
		require.NoError(t, res.Body.Close())
		srv.Close()
	}
}
