package rest

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/fault"
)

func FuzzCursor(f *testing.F) {
	ours := NewCursors([]byte("secret"))
	for _, seed := range []string{ours.Seal("list", 7), NewCursors([]byte("other")).Seal("list", 7), "", "AAAA", "\n", ours.Seal("list",
		7) + "=", "é"} {
		f.Add("list", seed)
	}
	f.Fuzz(func(t *testing.T, scope, cursor string) {
		var position int64
		if err := ours.Open(scope, cursor, &position); err != nil {
			if fault.KindOf(err) != fault.Invalid || position != 0 {
				t.Fatalf("%q refused with %v and position %d", cursor, err, position)
			}
			return
		}
		if ours.Seal(scope, position) != cursor {
			t.Fatalf("%q is taken, and is not what was sealed", cursor)
		}
	})
}

func FuzzSealedCursorOpensInItsListAlone(f *testing.F) {
	ours := NewCursors([]byte("secret"))
	f.Add("list", "other", int64(7), 3)
	f.Add("", "\x00", int64(-1), 0)
	f.Fuzz(func(t *testing.T, scope, other string, position int64, at int) {
		cursor := ours.Seal(scope, position)
		var opened int64
		if err := ours.Open(scope, cursor, &opened); err != nil || opened != position {
			t.Fatalf("%d comes back as %d, %v", position, opened, err)
		}
		if other != scope && ours.Open(other, cursor, &opened) == nil {
			t.Fatalf("the cursor of %q opens in %q", scope, other)
		}
		sealed, _ := base64.RawURLEncoding.DecodeString(cursor)
		sealed[(at&0xffff)%len(sealed)] ^= 1
		if ours.Open(scope, base64.RawURLEncoding.EncodeToString(sealed), &opened) == nil {
			t.Fatalf("opens with bit %d changed", at)
		}
	})
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer  abc ", "Basic abc", "Bearer", "Bearer ", "Bearer a b", " Bearer a", "BEARER\tabc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, ok := bearer(header)
		if ok && (token == "" || len(token) > maxToken || !strings.HasSuffix(strings.TrimSpace(header), token) ||
			!strings.EqualFold(header[:len("bearer ")], "bearer ")) {
			t.Fatalf("%q gives %q", header, token)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"one=1", "one=1&one=2", "%zz", "a;b", "one=%ff", "&&", "=", "one=%00", "tag=1&tag=2", "one=", "id=1",
		"cursor=", "two=1", "One=1"} {
		f.Add(seed)
	}
	many, text := true, &huma.Schema{Type: huma.TypeString}
	op := &huma.Operation{Parameters: []*huma.Param{
		{Name: "tag", In: "query", Explode: &many, Schema: text}, {Name: "one", In: "query", Schema: text},
		{Name: "cursor", In: "query", Schema: text}, {Name: "two", In: "header", Schema: text},
		{Name: "id", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}},
	}}
	f.Fuzz(func(t *testing.T, raw string) {
		if checkQuery(op, raw) != nil {
			return
		}
		query, err := url.ParseQuery(raw)
		for name, values := range query {
			known := name == "one" || name == "id" || name == "tag" || name == "cursor"
			once := name == "tag" || len(values) == 1 && (values[0] != "" || name == "cursor")
			if err != nil || !known || !once || !utf8.ValidString(name+strings.Join(values, "")) {
				t.Fatalf("%q is taken", raw)
			}
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, seed := range []string{
		"192.0.2.1", "1.2.3.4, 10.0.0.1", "unknown, 10.1.1.1", "[2001:db8::1]:80", "::ffff:10.0.0.1", "fe80::1%eth0", ",,", "10.0.0.1,10.0.0.2",
		"192.0.2.1:99999", "[192.0.2.1", "1.2.3.4, 5.6.7.8",
	} {
		f.Add("10.9.9.9:1", seed, "")
		f.Add("198.51.100.1:1", seed, seed)
	}
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {first, second}}}
		got, next := clientOf(r, trusted), parseAddr(peer)
		if got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%v is spelt in two ways", got)
		}
		if clientOf(r, nil) != next || !within(next, trusted) && got != next {
			t.Fatalf("%s is nobody's proxy, and is believed: %v", peer, got)
		}
		// Whoever is behind the first stranger from the right may say what they like.
		last := parseAddr(strings.TrimSpace(second[strings.LastIndex(second, ",")+1:]))
		if last.IsValid() && !within(last, trusted) && within(next, trusted) && got != last {
			t.Fatalf("%q: %v is believed instead of %v", second, got, last)
		}
		netOf(got)
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"a", "", " ", "é", strings.Repeat("x", 255), strings.Repeat("x", 256), "a\nb", "\x7f"} {
		f.Add(seed, "body")
	}
	g := guards{secret: []byte("secret")}
	f.Fuzz(func(t *testing.T, key, body string) {
		if validIdempotencyKey(key) && (len(key) > 255 || strings.Trim(key, visible) != "" || key == "") {
			t.Fatalf("%q is taken", key)
		}
		if g.hash(key, body) == g.hash(key+body) || key != body && g.hash(key) == g.hash(body) || key+body != body+key && g.hash(key,
			body) == g.hash(body, key) {
			t.Fatalf("%q and %q run into each other", key, body)
		}
	})
}

const visible = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip", "gzip;q=0", "*;q=0.5", "identity, gzip;q=0.1", "gzip;q=NaN", "x-gzip;Q=1", ";;,", "gzip;q=1e400",
		"*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		low := strings.ToLower(line)
		if takesGzip([]string{line}) && !strings.Contains(low, "gzip") && !strings.Contains(low, "*") {
			t.Fatalf("%q does not ask for gzip", line)
		}
		if q := quality(line); !(q >= 0 && q <= 1) { //nolint:staticcheck // NaN is neither
			t.Fatalf("%q is wanted %v", line, q)
		}
	})
}

func FuzzContentType(f *testing.F) {
	for _, seed := range []string{"", "application/json", "Application/JSON; charset=UTF-8", "application/json; charset=utf-16",
		"text/plain", "application/json;", "application/jsonx", "a/b; c=\"application/json"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		media, _, _ := strings.Cut(value, ";")
		if isJSON(value) && value != "" && !strings.EqualFold(strings.TrimSpace(media), "application/json") {
			t.Fatalf("%q is taken for JSON", value)
		}
	})
}

func FuzzOptional(f *testing.F) {
	for _, seed := range []string{"null", `"a"`, "1", "", " null", `"\ud800"`, "[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var o Optional[string]
		if err := o.UnmarshalJSON([]byte(data)); err == nil && (!o.Given || o.Null != (data == "null") || o.Null && o.Value != "") {
			t.Fatalf("%q is read as %+v", data, o)
		}
	})
}

// FuzzLinks has strangers choose the IDs that go into logs, headers and events.
func FuzzLinks(f *testing.F) {
	for _, seed := range []string{"tour-1", "", "a b", "a\r\nSet-Cookie: x=y", strings.Repeat("a", 129), "ü",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0-0-0"} {
		f.Add(seed, seed)
	}
	handler := New(Config{}).Handler()
	f.Fuzz(func(t *testing.T, id, traceparent string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", http.NoBody)
		r.Header[http.CanonicalHeaderKey(HeaderCorrelation)] = []string{id}
		r.Header["Traceparent"] = []string{traceparent}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		given := w.Header().Get(HeaderCorrelation)
		if w.Code != http.StatusOK || !correlation.Valid(given) || correlation.Valid(id) && given != id {
			t.Fatalf("%d: %q is answered with %q", w.Code, id, given)
		}
		if slices.ContainsFunc([]byte(given), func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
			t.Fatalf("%q is not fit for a header", given)
		}
	})
}
