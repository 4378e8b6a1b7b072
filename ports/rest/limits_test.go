package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
)

// noTables is the schema of a service without tables of its own.
var noTables = fstest.MapFS{
	"mysql/00001_none.sql":  {Data: []byte("-- +goose Up\nSELECT 1;")},
	"sqlite/00001_none.sql": {Data: []byte("-- +goose Up\nSELECT 1;")},
}

// counted counts how often the database is asked.
type counted struct {
	rest.Limits

	asked atomic.Int64
}

func (c *counted) Take(ctx context.Context, bucket string, rule limit.Rule, n int) (time.Duration, error) {
	c.asked.Add(1)
	return c.Limits.Take(ctx, bucket, rule, n)
}

// clock is a time that tests move.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// limitedReplica is a server of a service whose limits are kept by limits.
func limitedReplica(t *testing.T, limits rest.Limits, c *clock) *fixture {
	t.Helper()
	f := setup(t, func(cfg *rest.Config) {
		cfg.Now = c.now
		cfg.Verifier = tokens{
			"ada": {UserID: [16]byte{1}, Role: principal.RoleUser},
			"bob": {UserID: [16]byte{2}, Role: principal.RoleUser},
		}
	})
	api := rest.ForService(f.server.API(), rest.Service{Limits: limits})
	write := func(context.Context, *thingInput) (*struct{}, error) { return nil, nil }
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "write", Method: http.MethodPut, Path: "/api/write"}), write)
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "read", Method: http.MethodGet, Path: "/api/write"}),
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	rest.Register(api, huma.Operation{OperationID: "anyone", Method: http.MethodPost, Path: "/api/anyone"}, write)
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "store", Method: http.MethodPut, Path: "/api/store"}),
		func(_ context.Context, in *storeInput) (*storeOutput, error) {
			return &storeOutput{Body: strings.Repeat("x", in.Body.Answer)}, nil
		})
	rest.Register(api, rest.LimitedByAddress(huma.Operation{OperationID: "dear", Method: http.MethodPost, Path: "/api/dear"},
		"dear", limit.Rule{Burst: 3, Per: time.Minute}), write)
	return f
}

// storeInput has text of any length, and says how long the answer is to be.
type storeInput struct {
	Body struct {
		Text   string `json:"text"`
		Answer int    `json:"answer"`
	}
}

type storeOutput struct{ Body string }

// store sends a text of so many bytes, is answered so many, and says with which status.
func store(t *testing.T, f *fixture, token string, text, answer int) int {
	t.Helper()
	body := fmt.Sprintf(`{"text":%q,"answer":%d}`, strings.Repeat("x", text), answer)
	r := httptest.NewRequest(http.MethodPut, "/api/store", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	res := f.do(t, r)
	if res.StatusCode == http.StatusTooManyRequests {
		require.Equal(t, "rate_limited", problem(t, res, 429).Code)
		return 429
	}
	require.Equal(t, http.StatusOK, res.StatusCode)
	return http.StatusNoContent
}

// request makes one of token (none where it is empty) from address.
func request(method, path, token, address string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(`{"name":"x"}`))
	r.RemoteAddr = address
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func write(t *testing.T, f *fixture, token string) int {
	t.Helper()
	return f.do(t, request(http.MethodPut, "/api/write", token, "192.0.2.1:4000")).StatusCode
}

// passes writes until it is refused, and says how many passed.
func passes(t *testing.T, do func() int) (n int) {
	t.Helper()
	for range 1000 {
		status := do()
		if status == http.StatusTooManyRequests {
			return n
		}
		require.Equal(t, http.StatusNoContent, status)
		n++
	}
	t.Fatal("1000 passed")
	return n
}

func eachLimits(t *testing.T, fn func(t *testing.T, limits rest.Limits, c *clock)) {
	t.Helper()
	sqldbtest.Each(t, noTables, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		fn(t, sqldb.NewLimits(db, []byte("key of the limits"), c.now), c)
	})
}

func TestWritesAreLimitedPerCaller(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		asked := &counted{Limits: limits}
		f := limitedReplica(t, asked, c)
		require.Equal(t, 200, passes(t, func() int { return write(t, f, "ada") }), "the burst")
		require.Less(t, asked.asked.Load(), int64(20), "the database is not asked for each write")

		res := f.do(t, request(http.MethodPut, "/api/write", "ada", "198.51.100.1:4000"))
		require.Equal(t, "1", res.Header.Get("Retry-After"), "from another address she is the same caller")
		require.Equal(t, "rate_limited", problem(t, res, 429).Code)
		before := asked.asked.Load()
		require.Equal(t, 429, write(t, f, "ada"))
		require.Equal(t, before, asked.asked.Load(), "who is refused costs the database nothing")

		require.Equal(t, http.StatusNoContent, f.do(t, request(http.MethodGet, "/api/write", "ada", "192.0.2.1:1")).StatusCode, "reading is free")
		require.Equal(t, http.StatusNoContent, write(t, f, "bob"), "another caller at the same address is not hers")

		c.advance(time.Second)
		require.Equal(t, 100, passes(t, func() int { return write(t, f, "ada") }), "100 a second flow in")
		c.advance(time.Hour)
		require.Equal(t, 200, passes(t, func() int { return write(t, f, "ada") }))
	})
}

func TestBytesAreLimitedPerCaller(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string][2]int{"given": {20_000, 0}, "answered": {0, 20_000}, "given and answered": {20_000, 20_000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
				asked := &counted{Limits: limits}
				f := limitedReplica(t, asked, c)
				do := func() int { return store(t, f, "ada", sizes[0], sizes[1]) }
				require.InDelta(t, 1<<20/20_000, passes(t, do), 2, "the burst: 1 MiB")
				require.Less(t, asked.asked.Load(), int64(40), "the database is not asked for each write")
				require.Equal(t, http.StatusNoContent, store(t, f, "bob", sizes[0], sizes[1]), "another caller is not hers")
				c.advance(time.Second)
				require.InDelta(t, 128<<10/20_000, passes(t, do), 2, "128 KiB a second flow in")
				c.advance(time.Hour)
				require.InDelta(t, 1<<20/20_000, passes(t, do), 2)
			})
		})
	}
}

// What short requests store is owed also when the next ones come a second later.
func TestBytesThatWereAnsweredAreOwed(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		f := limitedReplica(t, limits, c)
		stored := 0
		for range 20 {
			for range 50 {
				if store(t, f, "ada", 0, 20_000) == http.StatusNoContent {
					stored += 20_000
				}
			}
			c.advance(time.Second)
		}
		require.Less(t, stored, 1<<20+20*(128<<10)+20*40_000, "the burst, what flows in, and what passes in a quiet second")
		require.Greater(t, stored, 20*(128<<10))
	})
}

func TestSmallWritesAreLimitedByTheirNumberAlone(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		f := limitedReplica(t, limits, c)
		require.Equal(t, 200, passes(t, func() int { return store(t, f, "ada", 1000, 1000) }))
	})
}

func TestBytesOfReplicasAreCountedTogether(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		one, other := limitedReplica(t, limits, c), limitedReplica(t, limits, c)
		n := passes(t, func() int { return store(t, one, "ada", 20_000, 0) })
		n += passes(t, func() int { return store(t, other, "ada", 20_000, 0) })
		require.InDelta(t, 1<<20/20_000, n, 4)
	})
}

func TestReplicasShareALimit(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		var passed atomic.Int64
		var wg sync.WaitGroup
		replicas := []*fixture{limitedReplica(t, limits, c), limitedReplica(t, limits, c)}
		for i := range 64 {
			wg.Go(func() {
				for range 8 {
					w := httptest.NewRecorder()
					replicas[i%2].server.Handler().ServeHTTP(w, request(http.MethodPut, "/api/write", "ada", "192.0.2.1:4000"))
					switch w.Code {
					case http.StatusNoContent:
						passed.Add(1)
					case http.StatusTooManyRequests:
					default:
						t.Errorf("%d: %s", w.Code, w.Body)
					}
				}
			})
		}
		wg.Wait()
		require.InDelta(t, 202, passed.Load(), 2, "200, and what a replica lets pass before it asks")
	})
}

func TestSteadyWritersKeepTheirRate(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		f := limitedReplica(t, limits, c)
		passes(t, func() int { return write(t, f, "ada") })
		n := 0
		for range 500 {
			c.advance(10 * time.Millisecond)
			if write(t, f, "ada") == http.StatusNoContent {
				n++
			}
		}
		require.InDelta(t, 495, n, 5, "in five seconds")
	})
}

func TestWhoWritesSeldomCostsTheDatabaseNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	f := limitedReplica(t, failing{errors.New("nobody may ask")}, c)
	for range 50 {
		require.Equal(t, http.StatusNoContent, write(t, f, "ada"))
		c.advance(300 * time.Millisecond)
	}
}

func TestStrangersAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		f := limitedReplica(t, limits, c)
		post := func(path, address string) int {
			return f.do(t, request(http.MethodPost, path, "", address)).StatusCode
		}
		require.Equal(t, 200, passes(t, func() int { return post("/api/anyone", "[2001:db8:1:2::3]:4000") }))
		require.Equal(t, 429, post("/api/anyone", "[2001:db8:1:2:ffff::4]:4000"), "its /64 is one customer's")
		require.Equal(t, 204, post("/api/anyone", "[2001:db8:1:3::3]:4000"))

		require.Equal(t, 3, passes(t, func() int { return post("/api/dear", "192.0.2.1:4000") }))
		res := f.do(t, request(http.MethodPost, "/api/dear", "", "192.0.2.1:4001"))
		require.Equal(t, "20", res.Header.Get("Retry-After"))
		require.Equal(t, "rate_limited", problem(t, res, 429).Code)
		require.Equal(t, 204, post("/api/dear", "192.0.2.2:4000"))
		c.advance(20 * time.Second)
		require.Equal(t, 1, passes(t, func() int { return post("/api/dear", "192.0.2.1:4000") }))
	})
}

// failing answers every question with an error.
type failing struct{ err error }

func (f failing) Take(context.Context, string, limit.Rule, int) (time.Duration, error) {
	return 0, f.err
}

func TestLimitsThatCannotBeReadAnswer503(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "database_away", "The database cannot be reached.")
	f := limitedReplica(t, failing{away}, newClock())
	for range 4 {
		require.Equal(t, 204, write(t, f, "ada"))
	}
	for _, r := range []*http.Request{
		request(http.MethodPut, "/api/write", "ada", "192.0.2.1:4000"), request(http.MethodPost, "/api/dear", "", "192.0.2.1:4000"),
	} {
		res := f.do(t, r)
		require.Equal(t, "2", res.Header.Get("Retry-After"))
		require.Equal(t, "database_away", problem(t, res, 503).Code)
	}
}

func TestLimitStandsBetweenSignInAndBody(t *testing.T) {
	t.Parallel()
	eachLimits(t, func(t *testing.T, limits rest.Limits, c *clock) {
		f := limitedReplica(t, limits, c)
		for range 300 {
			require.Equal(t, 401, write(t, f, "nobody"), "who is nobody uses up nothing of anybody's")
		}
		require.Equal(t, 200, passes(t, func() int { return write(t, f, "ada") }))
		r := httptest.NewRequest(http.MethodPut, "/api/write", io.NopCloser(unread{t}))
		r.ContentLength = 10
		r.Header.Set("Authorization", "Bearer ada")
		problem(t, f.do(t, r), 429)
	})
}
