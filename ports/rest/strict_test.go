package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	const quantity = "body.items[0].quantity"
	frame := len(`{"name":""}`)
	for name, c := range map[string]struct {
		body     string
		status   int
		location string // of the first error
	}{
		"whole":                           {`{"name":"a","items":[{"sku":"x","quantity":1}]}`, 201, ""},
		"white space around":              {" \n{\"name\":\"a\"}\n ", 201, ""},
		"optional null":                   {`{"name":"a","note":null}`, 201, ""},
		"same key in two objects":         {`{"name":"a","items":[{"sku":"x","quantity":1},{"sku":"x","quantity":1}]}`, 201, ""},
		"empty":                           {``, 400, "body"},
		"no JSON":                         {`name=secret`, 400, "body"},
		"cut":                             {`{"name":"secret`, 400, "body"},
		"trailing data":                   {`{"name":"a"} {}`, 400, "body"},
		"trailing bracket":                {`{"name":"a"}}`, 400, "body"},
		"comment":                         {`{"name":"a" /* secret */}`, 400, "body"},
		"invalid UTF-8":                   {"{\"name\":\"secret\xff\"}", 400, "body"},
		"invalid UTF-8 in a key":          {"{\"name\":\"a\",\"secret\xff\":1}", 400, "body"},
		"lone surrogate":                  {`{"name":"\ud800"}`, 400, "body"},
		"duplicate key":                   {`{"name":"secret","name":"secret"}`, 400, "body"},
		"duplicate key, escaped":          {`{"name":"secret","n\u0061me":"secret"}`, 400, "body"},
		"duplicate key, deep":             {`{"name":"a","items":[{"sku":"secret","quantity":1,"quantity":1}]}`, 400, "body"},
		"duplicate key, unknown and deep": {`{"name":"a","x":{"y":[{"secret":1,"secret":2}]}}`, 400, "body"},
		"too deep":                        {`{"name":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400, "body"},
		"byte order mark":                 {"\xef\xbb\xbf{\"name\":\"a\"}", 400, "body"},
		"number that is none":             {`{"name":"a","items":[{"sku":"x","quantity":NaN}]}`, 400, "body"},
		"required one missing":            {`{}`, 422, "body"},
		"required one null":               {`{"name":null}`, 422, "body.name"},
		"array":                           {`["secret"]`, 422, "body"},
		"null":                            {`null`, 422, "body"},
		"unknown field":                   {`{"name":"a","colour":"secret"}`, 422, "body.colour"},
		"field of another case":           {`{"name":"a","Name":"secret"}`, 422, "body.Name"},
		"only of another case":            {`{"NAME":"secret"}`, 422, "body"},
		"unknown deep field":              {`{"name":"a","items":[{"sku":"x","quantity":1,"Quantity":-5}]}`, 422, "body.items[0].Quantity"},
		"too small":                       {`{"name":"a","items":[{"sku":"x","quantity":0}]}`, 422, "body.items[0].quantity"},
		"too long":                        {`{"name":"secretsecretsecretsecret"}`, 422, "body.name"},
		"of another type":                 {`{"name":"a","items":[{"sku":"x","quantity":"secret"}]}`, 422, "body.items[0].quantity"},
		"no whole number":                 {`{"name":"a","items":[{"sku":"x","quantity":1.5}]}`, 422, "body.items[0].quantity"},
		"beyond 64 bits": {
			`{"name":"a","items":[{"sku":"x","quantity":98765432109876543210}]}`, 422, "body.items[0].quantity",
		},
		"beyond any float":                      {`{"name":"a","items":[{"sku":"x","quantity":1e400}]}`, 422, "body.items[0].quantity"},
		"below any float":                       {`{"name":"a","items":[{"sku":"x","quantity":-1e400}]}`, 422, "body.items[0].quantity"},
		"beyond any float, in a string's place": {`{"name":1e400}`, 422, "body.name"},
		"whole number with a point":             {`{"name":"a","items":[{"sku":"x","quantity":1.0}]}`, 201, ""},
		"whole number with an exponent":         {`{"name":"a","items":[{"sku":"x","quantity":1e2}]}`, 201, ""},
		"largest number, with an exponent":      {`{"name":"a","items":[{"sku":"x","quantity":92233720368547758.07e2}]}`, 201, ""},
		"one more, with a point":                {`{"name":"a","items":[{"sku":"","quantity":9223372036854775808.0}]}`, 422, quantity},
		"nearly whole":                          {`{"name":"a","items":[{"sku":"","quantity":1.00000000000000000000001}]}`, 422, quantity},
		"whole number too small":                {`{"name":"a","items":[{"sku":"x","quantity":-0.0e7}]}`, 422, "body.items[0].quantity"},
		"malformed behind a number too large":   {`{"name":"a","items":[{"sku":"x","quantity":1e400}]`, 400, "body"},
		"duplicate key, number too large":       {`{"name":1e400,"name":1}`, 400, "body"},
		"no e-mail address":                     {`{"name":"a","email":"secret@@secret"}`, 422, "body.email"},
		"exactly 1 MiB, too long for the field": {`{"name":"` + strings.Repeat("s", mebibyte-frame) + `"}`, 422, "body.name"},
		"1 MiB and a byte":                      {`{"name":"` + strings.Repeat("s", mebibyte-frame+1) + `"}`, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			res := f.post(t, c.body)
			if c.status == http.StatusCreated {
				require.Equal(t, c.status, res.StatusCode, text(t, res))
				require.Equal(t, "/api/things/1", res.Header.Get("Location"))
				return
			}
			p := problem(t, res, c.status)
			if c.location != "" {
				require.NotEmpty(t, p.Errors)
				require.Equal(t, c.location, p.Errors[0].Location)
			}
			for _, e := range p.Errors {
				require.NotContains(t, e.Message, "secret")
				require.NotContains(t, e.Message, "9876543210")
				require.NotContains(t, e.Message, "EXTRA", "a message with its verbs missing")
			}
			require.NotContains(t, p.Detail, "secret")
			require.Less(t, len(p.Errors), 5)
		})
	}
}

func TestUnknownFieldNameIsCutShort(t *testing.T) {
	t.Parallel()
	p := problem(t, setup(t).post(t, `{"name":"a","`+strings.Repeat("ä", 5000)+`":1}`), 422)
	require.Less(t, len(p.Errors[0].Location), 300)
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for contentType, status := range map[string]int{
		"application/json":                  201,
		"application/json; charset=utf-8":   201,
		"Application/JSON;charset=UTF-8":    201,
		"":                                  201,
		"application/json; charset=latin1":  415,
		"text/plain":                        415,
		"application/x-www-form-urlencoded": 415,
		"application/merge-patch+json":      415,
		"json":                              415,
		"application/json, text/plain":      415,
		";":                                 415,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/api/things", strings.NewReader(`{"name":"a"}`))
			r.Header.Set("Content-Type", contentType)
			res := setup(t).do(t, r)
			require.Equal(t, status, res.StatusCode, text(t, res))
		})
	}
	r := httptest.NewRequest(http.MethodPost, "/api/things", strings.NewReader(`{"name":"a"}`))
	r.Header.Set("Content-Type", "text/plain")
	require.Equal(t, "unsupported_media_type", problem(t, setup(t).do(t, r), 415).Code)
}

// Pages of other origins may send a body without a type, and without a preflight.
func TestBodyThatABrowserSendsUnasked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		types  []string
		origin string
		status int
	}{
		"no type, no browser": {nil, "", 201},
		"no type, a page":     {nil, "https://evil.example", 415},
		"no type, a file":     {nil, "null", 415},
		"JSON, a page":        {[]string{"application/json"}, "https://shop.example", 201}, // asked before
		"two types":           {[]string{"application/json", "text/plain"}, "", 415},
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/things", strings.NewReader(`{"name":"a"}`))
		if r.Header["Content-Type"] = c.types; c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		require.Equal(t, c.status, setup(t).do(t, r).StatusCode, name)
	}
}

func TestCompressedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for encodings, status := range map[string]int{"gzip": 415, "identity, gzip": 415, "br": 415, "": 415, "identity": 201, "Identity": 201} {
		r := httptest.NewRequest(http.MethodPost, "/api/things", strings.NewReader(`{"name":"a"}`))
		r.Header.Set("Content-Encoding", encodings)
		res := f.do(t, r)
		if status == 201 {
			require.Equal(t, 201, res.StatusCode)
			continue
		}
		require.Equal(t, "unsupported_content_encoding", problem(t, res, status).Code, encodings)
		require.Equal(t, "identity", res.Header.Get("Accept-Encoding"))
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for query, c := range map[string]struct {
		status   int
		location string
	}{
		"":                           {200, ""},
		"limit=1&color=red":          {200, ""},
		"limit=200":                  {200, ""},
		"limit=0":                    {422, "query.limit"},
		"limit=201":                  {422, "query.limit"},
		"limit=secret":               {422, "query.limit"},
		"limit=99999999999999999999": {422, "query.limit"},
		"color=secret":               {422, "query.color"},
		"Limit=1":                    {422, "query.Limit"},
		"colour=secret":              {422, "query.colour"},
		"limit=1&limit=2":            {422, "query.limit"},
		"limit=%zz":                  {400, ""},
		"limit=1;color=red":          {400, ""},
		"cursor=%ff":                 {400, ""},
		"color=":                     {422, "query.color"},
		"limit=":                     {422, "query.limit"},
		"color":                      {422, "query.color"},
		"cursor=":                    {200, ""},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			res := f.get(t, "/api/things?"+query)
			if c.status == 200 {
				require.Equal(t, 200, res.StatusCode, text(t, res))
				return
			}
			p := problem(t, res, c.status)
			require.NotContains(t, p.Detail, "secret")
			if c.location != "" {
				require.Equal(t, c.location, p.Errors[0].Location)
				require.NotContains(t, p.Errors[0].Message, "secret")
			}
		})
	}
}

func TestQueryOfManyParametersIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := problem(t, f.get(t, "/api/things?"+strings.Repeat("a&", 15_000)+"a"), 422)
	require.Equal(t, []rest.Violation{{Location: "query", Message: "has more than 100 parameters"}}, p.Errors)
	var query strings.Builder
	for i := range 99 {
		query.WriteString("&" + strings.Repeat("%01", 300) + strconv.Itoa(i))
	}
	res := f.get(t, "/api/things?limit=1"+query.String())
	require.Len(t, problem(t, res, 422).Errors, 99)
}

func TestPathParametersAreChecked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := problem(t, f.get(t, "/api/things/urn:uuid-secret"), 422)
	require.Equal(t, []rest.Violation{{Location: "path.id", Message: "expected a UUID"}}, p.Errors)
	problem(t, f.get(t, "/api/things/%ff"), 400)
	for _, spelling := range []string{
		"urn:uuid:0192f3a0-0000-7000-8000-000000000000", "{0192f3a0-0000-7000-8000-000000000000}", "0192f3a0000070008000000000000000",
		"0192f3a0-0000-7000-8000-00000000000g",
	} {
		p := problem(t, f.get(t, "/api/things/"+spelling), 422)
		require.Equal(t, []rest.Violation{{Location: "path.id", Message: "expected a UUID"}}, p.Errors, spelling)
	}
	require.Equal(t, 200, f.get(t, "/api/things/0192f3a0-0000-7000-8000-000000000000").StatusCode)
}

func TestEmptyListIsAnArray(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"items":[]}`, text(t, setup(t).get(t, "/api/things")))
	require.JSONEq(t, `{"items":[],"next_cursor":"more"}`, text(t, setup(t).get(t, "/api/things?limit=2")))
}
