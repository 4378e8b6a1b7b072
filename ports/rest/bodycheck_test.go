package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
)

// sample is a body with every kind of rule.
type sample struct {
	Name   string             `json:"name" minLength:"1" maxLength:"20"`
	Email  string             `json:"email,omitempty" format:"email"`
	Items  []sampleItem       `json:"items,omitempty" minItems:"1" maxItems:"3"`
	Note   string             `json:"note,omitempty" nullable:"true" maxLength:"5"`
	Color  Optional[string]   `json:"color,omitempty" enum:"red,blue"`
	Price  float64            `json:"price,omitempty" minimum:"0"`
	Ready  bool               `json:"ready,omitempty"`
	Any    any                `json:"any,omitempty"`
	Labels map[string]int     `json:"labels,omitempty" maxProperties:"2"`
	None   []string           `json:"none,omitempty" maxItems:"0"`
	Deep   map[string]*sample `json:"deep,omitempty"`
}

type sampleItem struct {
	SKU      string `json:"sku" pattern:"^[a-z]+$"`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1000"`
	Small    int32  `json:"small,omitempty"`
}

type sampleInput struct{ Body sample }

// sampled gives the rules and the schema of an operation that takes a sample.
func sampled(t testing.TB) (*rules, huma.Registry, *huma.Schema) {
	t.Helper()
	api := New(Config{}).API()
	op, body := prepared(huma.Operation{OperationID: "sample", Method: http.MethodPut, Path: "/sample"},
		reflect.TypeFor[sampleInput](), reflect.TypeFor[struct{}](), guards{})
	huma.Register(api, op, func(context.Context, *sampleInput) (*struct{}, error) { return nil, nil })
	body.compile(api, op)
	require.NotNil(t, body.rules)
	return body.rules, api.OpenAPI().Components.Schemas, op.RequestBody.Content["application/json"].Schema
}

// held gives body as it would be held.
func held(t testing.TB, body string) heldBody {
	t.Helper()
	h, err := (&bodyStep{limit: maxBody, rules: anything}).hold(new(bytes.Buffer), strings.NewReader(body))
	require.NoError(t, err)
	return h
}

// checked gives what body is refused with, as "location: message".
func checked(t testing.TB, r *rules, body string) (status int, violations []string) {
	t.Helper()
	_, no := r.check(held(t, body))
	if no == nil {
		return http.StatusOK, nil
	}
	for _, f := range no.fields {
		violations = append(violations, f.Location+": "+f.Message)
	}
	return no.status, violations
}

func TestBodyIsCheckedByItsSchema(t *testing.T) {
	t.Parallel()
	r, _, _ := sampled(t)
	const ok = `{"name":"a"`
	for body, want := range map[string][]string{
		ok + `}`: nil,
		ok + `,"items":[{"sku":"a","quantity":1e3}],"note":null,"email":null,"color":null,"labels":{"a":1.0},"any":{"b":[null]}}`: nil,
		ok + `,"price":1.5,"ready":true,"deep":{"x":{"name":"b"}},"none":[]}`:                                                     nil,
		`{}`: {"body: expected required property name to be present"},
		`{"items":[{}]}`: {
			"body: expected required property name to be present", "body.items[0]: expected required property quantity to be present",
			"body.items[0]: expected required property sku to be present",
		},
		`{"name":null}`:              {"body.name: expected string"},
		ok + `,"items":[]}`:          {"body.items: expected array length >= 1"},
		ok + `,"items":[1,2,3,4]}`:   {"body.items: expected array length <= 3"},
		ok + `,"items":["],[",2,3]}`: {"body.items[0]: expected object", "body.items[1]: expected object", "body.items[2]: expected object"},
		ok + `,"none":["a"]}`:        {"body.none: expected array length <= 0"},
		ok + `,"items":{}}`:          {"body.items: expected array"},
		ok + `,"note":[{"a":1}]}`:    {"body.note: expected string"},
		ok + `,"color":"green"}`:     {`body.color: expected value to be one of "red, blue"`},
		ok + `,"price":-1,"ready":0}`: {
			"body.price: expected number >= 0", "body.ready: expected boolean",
		},
		ok + `,"price":1e999}`: {"body.price: must be a number that 64 bits can hold"},
		ok + `,"items":[{"sku":"a","quantity":1.5,"small":2147483648}]}`: {
			"body.items[0].quantity: expected integer", "body.items[0].small: must be a whole number of at most 32 bits",
		},
		ok + `,"items":[{"sku":"A","quantity":1001,"small":-2147483648}]}`: {
			"body.items[0].sku: expected string to match pattern ^[a-z]+$", "body.items[0].quantity: expected number <= 1000",
		},
		ok + `,"labels":{"a":1,"b":2,"c":"x"}}`: {"body.labels.c: expected integer", "body.labels: expected object with at most 2 properties"},
		ok + `,"deep":{"x":{"y":1}}}`: {
			"body.deep.x: expected required property name to be present", "body.deep.x.y: unexpected property",
		},
		ok + `,"x.y[0]":1,"z":{"a":[]}}`: {"body.x.y[0]: unexpected property", "body.z: unexpected property"},
	} {
		status, violations := checked(t, r, body)
		require.Equal(t, want, violations, body)
		require.Equal(t, want == nil, status == http.StatusOK, body)
	}
}

// What a stranger sends decides how much is answered only up to a bound, whatever rule is broken.
func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()
	r, _, _ := sampled(t)
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(format, "#", strconv.Itoa(i)))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		body       string
		violations int // at least
	}{
		"unknown members":             {`{"name":"a",` + many(`"m#":1`, 90_000) + `}`, maxViolations},
		"unknown members, long names": {`{"name":"a",` + many(`"`+strings.Repeat(`\u0001`, 300)+`#":1`, 500) + `}`, 20},
		"elements of a short array":   {`{"name":"a","items":[` + many(`{}`, 300_000) + `]}`, 1},
		"elements, spaced":            {`{"name":"a","items":[` + many("{ }\n", 200_000) + `]}`, 1},
		"members of a map":            {`{"name":"a","deep":{` + many(`"m#":1`, 5000) + `}}`, maxViolations},
		"a text without an end":       {`{"name":"` + strings.Repeat("x", 900_000) + `"}`, 1},
		"a number without an end":     {`{"name":"a","price":` + strings.Repeat("1", 900_000) + `}`, 1},
		"names of something unknown":  {`{"name":"a","x":{` + many(`"m#":1`, 90_000) + `}}`, 1},
		"names of anything":           {`{"name":"a","any":{` + many(`"m#":1`, 90_000) + `}}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, no := r.check(held(t, c.body))
			require.NotNil(t, no)
			require.Equal(t, http.StatusUnprocessableEntity, no.status)
			require.GreaterOrEqual(t, len(no.fields), c.violations)
			require.LessOrEqual(t, len(no.fields), maxViolations)
			var answer bytes.Buffer
			require.NoError(t, writeJSON(&answer, no.problem(t.Context())))
			require.Less(t, answer.Len(), maxViolationsBytes+1000)
			if c.violations == maxViolations {
				require.Contains(t, no.detail, "Only the first 100 are named")
			}
		})
	}
}

func TestArrayThatIsTooLongIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	r, _, _ := sampled(t)
	status, violations := checked(t, r, `{"name":"a","items":[`+strings.Repeat("{},", 300_000)+`{}]}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "body.items: expected array length <= 3", violations[0])
	require.Len(t, violations, 2, "and that the body was not read further: %v", violations)
}

// A body is told apart from its beginning alone where it does not fit into memory's share.
func TestLongBodiesAreReadWithoutTheirWhiteSpace(t *testing.T) {
	t.Parallel()
	r, _, _ := sampled(t)
	space := strings.Repeat(" \t\r\n", 40_000)
	for body, want := range map[string]int{
		space + `{` + space + `"name":"a b  c"` + space + `}` + space: http.StatusOK,
		`{"name":"a` + space + `"}`:                                   http.StatusBadRequest, // line ends within a text
		`{"name":"a"}` + space + `{}`:                                 http.StatusBadRequest,
		`{"name":"a"}` + space + strings.Repeat("x", maxHeld):         http.StatusBadRequest,
		`{"name":"a","price":1` + space + `2}`:                        http.StatusBadRequest,
		`{"name":"\"` + strings.Repeat(" ", maxHeld) + `"}`:           http.StatusUnprocessableEntity,
		`{"name":"` + strings.Repeat("ä", maxHeld) + `"}`:             http.StatusUnprocessableEntity,
		`{"name": "` + strings.Repeat("ä", maxHeld) + `"}`:            http.StatusUnprocessableEntity,
		`{"name":"` + strings.Repeat("\xff", maxHeld) + `"}`:          http.StatusBadRequest,
		`{"name":"` + strings.Repeat(`\\`, maxHeld) + `"}`:            http.StatusUnprocessableEntity,
	} {
		status, violations := checked(t, r, body)
		require.Equal(t, want, status, "%.40q: %v", body, violations)
	}
	h := held(t, `{"name":"a b  c",`+space+`"any":[1 ,  2]}`)
	require.Equal(t, `{"name":"a b  c", "any":[1 , 2]}`, string(h.data))
	require.LessOrEqual(t, len(held(t, strings.Repeat("x", maxBody)).data), maxHeld)
}

func TestDeepBodiesAreRefused(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	status, _ := checked(t, anything, deep(maxDepth))
	require.Equal(t, http.StatusOK, status)
	for _, body := range []string{deep(maxDepth + 1), deep(20_000), strings.Repeat(`{"a":`, 200_000)} {
		status, violations := checked(t, anything, body)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, violations[0], "100 deep")
	}
}

// FuzzBodyRules holds the check against huma's own, which builds the whole value first, and against the decoder behind it: what passes
// can be decoded.
func FuzzBodyRules(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a"}`, `{"name":"a","items":[{"sku":"a","quantity":1.0,"small":1e3}],"labels":{"a":10e-1}}`, `{"name":1,"items":[{},1,null]}`,
		`{"name":"a","deep":{"x":{"name":"","deep":null}},"any":[1.5,{"a":null}],"price":0.5,"ready":false,"color":null}`,
		`{"name":"a","color":"red","email":"a@b","note":"long note","none":[1]}`, `{"name":"a","items":[{},{},{},{}]}`, `[]`, `null`, `"a"`,
		`{"name":"a","items":[],"labels":{"a":1,"b":2,"c":3},"unknown":{"a":1},"color":7,"ready":"x","note":{},"deep":[]}`,
		`{"name":"a","labels":{"a":-0,"b":99999999999999999999,"c":1e400},"price":1e400}`,
	} {
		f.Add(seed)
	}
	r, registry, schema := sampled(f)
	f.Fuzz(func(t *testing.T, data string) {
		body, no := r.check(held(t, data))
		if no != nil && no.status == http.StatusBadRequest || len(data) > maxHeld {
			return // FuzzStrictJSON looks at these
		}
		var built any
		if err := json.Unmarshal([]byte(data), &built); err != nil {
			return // a number beyond float64
		}
		humas := huma.ValidateResult{}
		huma.Validate(registry, schema, huma.NewPathBuffer([]byte("body"), 4), huma.ModeWriteToServer, built, &humas)
		if no == nil {
			var s sample
			if err := readJSON(body, &s); err != nil || len(humas.Errors) > 0 {
				t.Fatalf("%q passes, and cannot be decoded (%v) or breaks %v", data, err, humas.Errors)
			}
			return
		}
		var ours, theirs []string
		for _, v := range no.fields {
			ours = append(ours, v.Message)
		}
		for _, err := range humas.Errors {
			theirs = append(theirs, fieldOf(err).Message)
		}
		// huma reads numbers as float64, and looks at the elements of an array that is too long.
		differs := func(m string) bool {
			numeric := strings.Contains(m, "integer") || strings.Contains(m, "number") || strings.Contains(m, "bits")
			return numeric || strings.Contains(m, "array length <=")
		}
		if slices.ContainsFunc(ours, differs) || len(ours) == maxViolations {
			return
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		if !slices.Equal(ours, theirs) {
			t.Fatalf("%q breaks %q here, and %q for huma", data, ours, theirs)
		}
	})
}

func FuzzSqueezer(f *testing.F) {
	for _, seed := range []string{`{ "a" :  "b  \" c" }`, "\t\n[1  ,\r2]", `"\\"  "  "`, "a  b"} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, data string, at int) {
		var z squeezer
		at = min(max(at, 0), len(data))
		_, _ = io.Copy(&z, io.MultiReader(strings.NewReader(data[:at]), strings.NewReader(data[at:])))
		if json.Valid(z.out) != json.Valid([]byte(data)) {
			t.Fatalf("%q becomes %q", data, z.out)
		}
		var before, after any
		if json.Unmarshal([]byte(data), &before) == nil && (json.Unmarshal(z.out, &after) != nil || !reflect.DeepEqual(before, after)) {
			t.Fatalf("%q becomes %q", data, z.out)
		}
	})
}
