package rest_test

import (
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

type versionedOutput struct {
	rest.Versioned

	Body thing
}
type changeInput struct {
	rest.IfMatch

	Body thing
}

// versioned is a server with a thing at version 3.
func versioned(t testing.TB) *fixture {
	t.Helper()
	f := setup(t)
	rest.Register(f.server.API(), huma.Operation{OperationID: "read-versioned", Method: http.MethodGet, Path: "/api/versioned"},
		func(context.Context, *struct{}) (*versionedOutput, error) {
			return &versionedOutput{Versioned: rest.Version(3), Body: thing{Name: "x"}}, nil
		})
	rest.Register(f.server.API(), huma.Operation{OperationID: "change-versioned", Method: http.MethodPut, Path: "/api/versioned"},
		func(_ context.Context, in *changeInput) (*versionedOutput, error) {
			expected, err := in.Expected()
			if err != nil {
				return nil, err
			}
			if err := expected.Check(3); err != nil {
				return nil, err
			}
			return &versionedOutput{Versioned: rest.Version(4), Body: in.Body}, nil
		})
	return f
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		status int
	}{
		"absent":                   {nil, 200},
		"the version":              {[]string{`"3"`}, 200},
		"another version":          {[]string{`"2"`}, 412},
		"whatever there is":        {[]string{` * `}, 200},
		"a list":                   {[]string{`"1", "3"`}, 200},
		"a list without blanks":    {[]string{`"1","2","3"`}, 200},
		"a list with empty places": {[]string{`, "1",, "3" ,`}, 200},
		"a list that has it not":   {[]string{`"1", "2"`}, 412},
		"two lines":                {[]string{`"1"`, `"3"`}, 200},
		"two lines without it":     {[]string{`"1"`, `"2"`}, 412},
		"weak":                     {[]string{`W/"3"`}, 412},
		"weak beside strong":       {[]string{`W/"2", "3"`}, 200},
		"another spelling":         {[]string{`"03"`}, 412},
		"with a sign":              {[]string{`"+3"`}, 412},
		"a foreign tag":            {[]string{`"a,b"`}, 412},
		"a comma within a tag":     {[]string{`"a,b", "3"`}, 200},
		"an empty tag":             {[]string{`""`}, 412},
		"a huge number":            {[]string{`"99999999999999999999"`}, 412},
		"other bytes":              {[]string{"\"\x80\""}, 412},
		"no quotes":                {[]string{`3`}, 422},
		"not closed":               {[]string{`"3`}, 422},
		"weak in lower case":       {[]string{`w/"3"`}, 422},
		"weak alone":               {[]string{`W/`}, 422},
		"a blank within":           {[]string{`"3 "`}, 422},
		"no comma":                 {[]string{`"1" "3"`}, 422},
		"a star in a list":         {[]string{`"1", *`}, 422},
		"two stars":                {[]string{`*`, `*`}, 422},
		"blank":                    {[]string{``}, 422},
		"commas alone":             {[]string{`,`, ` `}, 422},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPut, "/api/versioned", strings.NewReader(`{"name":"y"}`))
			if c.lines != nil {
				r.Header["If-Match"] = c.lines
			}
			res := versioned(t).do(t, r)
			switch c.status {
			case 200:
				require.Equal(t, 200, res.StatusCode)
				require.Equal(t, `"4"`, res.Header.Get("ETag"))
			case 412:
				require.Equal(t, "precondition_failed", problem(t, res, 412).Code)
			default:
				require.Equal(t, "header.If-Match", problem(t, res, c.status).Errors[0].Location)
			}
		})
	}
}

func TestBlankIfMatchIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPut, "/api/versioned", io.NopCloser(unread{t}))
	r.Header["If-Match"] = []string{""}
	problem(t, versioned(t).do(t, r), 422)
}

func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		status int
	}{
		"absent":            {nil, 200},
		"the version":       {[]string{`"3"`}, 304},
		"weak":              {[]string{`W/"3"`}, 304},
		"another version":   {[]string{`"2"`}, 200},
		"whatever there is": {[]string{`*`}, 304},
		"a list":            {[]string{`"1", "3"`}, 304},
		"two lines":         {[]string{`"1"`, `"3"`}, 304},
		"malformed":         {[]string{`3`}, 200},
		"blank":             {[]string{``}, 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(versioned(t).server.Handler())
				t.Cleanup(server.Close)
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/versioned", nil)
				require.NoError(t, err)
				if c.lines != nil {
					r.Header["If-None-Match"] = c.lines
				}
				res, err := server.Client().Do(r)
				require.NoError(t, err)
				require.Equal(t, c.status, res.StatusCode)
				require.Equal(t, []string{`"3"`}, res.Header["Etag"])
				require.Equal(t, c.status == 200 && method == http.MethodGet, text(t, res) != "")
				if c.status == 304 {
					require.Empty(t, res.Header.Get("Content-Type"))
				}
			})
		}
	}
}

func TestPreconditionsAreDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string } `json:"parameters"`
			Responses  map[string]struct {
				Headers map[string]json.RawMessage `json:"headers"`
			} `json:"responses"`
		} `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, versioned(t).get(t, "/openapi.json"))), &doc))
	read, change := doc.Paths["/api/versioned"]["get"], doc.Paths["/api/versioned"]["put"]
	require.Len(t, read.Parameters, 2, "and the correlation ID")
	require.Equal(t, "If-None-Match", read.Parameters[0].Name)
	require.Len(t, change.Parameters, 2)
	require.Equal(t, "If-Match", change.Parameters[0].Name)
	require.Contains(t, change.Responses, "412")
	for _, status := range []string{"200", "304"} {
		require.Contains(t, read.Responses[status].Headers, "ETag", status)
	}
	require.Contains(t, change.Responses["200"].Headers, "ETag")
}

func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{`"3"`, `*`, `W/"1", "2"`, `,,`, `"`, `W/`, "\"\x00\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		expected, err := rest.IfMatch{IfMatch: value}.Expected()
		if err != nil && expected != nil {
			t.Fatalf("%q: refused, and yet %v", value, expected)
		}
		if err == nil && expected.Fits(3) && value != "" && !strings.Contains(value, "*") && !strings.Contains(value, `"3"`) {
			t.Fatalf("%q fits version 3", value)
		}
	})
}
