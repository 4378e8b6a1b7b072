package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// Values of malformed requests hold a mark. No answer may repeat either, and no log the secret one.
const (
	mark       = "mArKeD"
	secretMark = "sEcReTmArK"
)

// malformed is one request as it goes over the wire.
type malformed struct {
	class   string
	request string
	method  string
	cut     bool // the client goes away before it has sent everything
	refused bool // nothing but a 4xx may answer it
	wire    bool // HTTP itself is broken: net/http may answer in our place
}

// maker makes malformed requests, the same for the same seed.
type maker struct {
	*rand.Rand

	routes []string // method and path of the document
	bodies map[string][]string
	tokens []string
	ids    []string
}

// request is a well-formed one before something is done to it.
type request struct {
	method, path, query, body string
	headers                   []string
}

func (r request) bytes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", r.method, r.path, r.query)
	for _, h := range r.headers {
		b.WriteString(h + "\r\n")
	}
	if r.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	return b.String() + "\r\n" + r.body
}

// next makes one more.
func (m *maker) next() malformed {
	kinds := []func() malformed{m.brokenBody, m.brokenBody, m.brokenBody, m.wrongValue, m.wrongType, m.framing, m.oddMethod, m.badPath,
		m.badQuery, m.badQuery, m.badHeader, m.badHeader, m.badWire}
	return kinds[m.IntN(len(kinds))]()
}

func pick[T any](m *maker, from ...T) T { return from[m.IntN(len(from))] }

// any gives a well-formed request of a route, with the body left out where it would cost a password's hash.
func (m *maker) any(body bool) request {
	for {
		route := pick(m, m.routes...)
		method, path, _ := strings.Cut(route, " ")
		if body && len(m.bodies[route]) == 0 {
			continue
		}
		parts := strings.Split(path, "/")
		for i, part := range parts {
			if strings.HasPrefix(part, "{") {
				parts[i] = pick(m, m.ids...)
			}
		}
		r := request{method: method, path: strings.Join(parts, "/"), headers: []string{"Content-Type: application/json"}}
		if token := pick(m, m.tokens...); token != "" {
			r.headers = append(r.headers, "Authorization: Bearer "+token)
		}
		if len(m.bodies[route]) > 0 {
			r.body = "{}"
		}
		if body {
			r.body = pick(m, m.bodies[route]...)
		}
		return r
	}
}

func (m *maker) brokenBody() malformed {
	r := m.any(true)
	c := malformed{class: "broken JSON", refused: true}
	open := strings.Index(r.body, `":`) + 2
	switch m.IntN(10) {
	case 0: // ends early
		r.body = r.body[:1+m.IntN(len(r.body)-1)]
	case 1: // more behind the end
		r.body += pick(m, "{}", r.body, "x", "]", "\x00", `"`+secretMark+`"`)
	case 2: // a key twice
		first, _, _ := strings.Cut(r.body[1:], ":")
		r.body = r.body[:len(r.body)-1] + "," + first + `:"` + secretMark + `"}`
	case 3: // no UTF-8
		r.body = r.body[:open] + `"` + secretMark + pick(m, "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3") + `"}`
	case 4: // half a surrogate
		r.body = r.body[:open] + `"` + secretMark + pick(m, `\ud800`, `\udc00x`, `\ud800\ud800`, `\u12`, `\x41`) + `"}`
	case 5: // deep
		depth := pick(m, 100, 1000, 10_001, 100_000)
		r.body = r.body[:open] + strings.Repeat(pick(m, "[", `{"a":`), depth)
		if m.IntN(2) == 0 {
			r.body = strings.Repeat("[", depth) + strings.Repeat("]", depth)
		}
	case 6: // a byte order mark, another encoding
		r.body = pick(m, "\xef\xbb\xbf"+r.body, "\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}", "\x1f\x8b"+r.body)
	case 7: // no JSON's notation
		r.body = pick(m, `{'a':1}`, `{a:1}`, `{"a":1,}`, `{"a":0x10}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":NaN}`, `{"a":Infinity}`,
			`{"a":"`+"\n"+`"}`,
			"/**/{}", "{}//", `{"a" 1}`, `{"a":tru}`, `{"a":1 "b":2}`, `<a>`+secretMark+`</a>`, "a="+secretMark, `"`+secretMark+`"`, "[1]",
			"true", "1e400", "-")
	case 8: // a byte that does not belong there
		at := 1 + m.IntN(len(r.body)-2)
		r.body = r.body[:at] + pick(m, "\x00", "\x1b", "\xff", "\x7f\x01") + r.body[at:]
	case 9:
		return m.wrongContentType(r)
	}
	c.method, c.request = r.method, r.bytes()
	return c
}

func (m *maker) wrongContentType(r request) malformed {
	r.headers[0] = "Content-Type: " + pick(m,
		"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary="+mark,
		"application/json; charset=utf-16",
		"application/json; charset=iso-8859-1", "application/json, text/html", "json", ";", "application/json; charset=\"utf-8",
		"application/json; =", mark+"/"+mark,
		"application/cbor", "text/json", "application/vnd.api+json", "application/json;charset=utf-7", "\xff")
	return malformed{class: "content type", method: r.method, request: r.bytes(), refused: true}
}

// numbers are at the edges of what a type holds, or beyond.
var numbers = []string{
	"1e400", "-1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1.5", "-1", "0",
	"1e3", "0.1e1", "-0", "1e-400",
	"123456789012345678901234567890123456789012345678901234567890",
}

// wrongValue puts a value of another type, or out of range, where one is expected, at any depth.
func (m *maker) wrongValue() malformed {
	r := m.any(true)
	var body any
	if json.Unmarshal([]byte(r.body), &body) != nil {
		panic("a body of the table is no JSON: " + r.body)
	}
	const place = "@@@"
	body = m.replaced(body, place)
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	value := pick(m, `null`, `true`, `[]`, `{}`, `[null]`, `{"a":{}}`, `""`, `"`+secretMark+`"`, `"`+secretMark+`\u0000"`,
		`"`+strings.Repeat(secretMark, 300)+`"`,
		`["`+secretMark+`"]`, `{"sku":"`+secretMark+`"}`, `"\ud83d\ude00"`, pick(m, numbers...), "["+strings.Repeat(`{},`, 500)+`{}]`)
	r.body = strings.Replace(string(data), `"`+place+`"`, value, 1)
	return malformed{class: "values", method: r.method, request: r.bytes()}
}

// replaced puts place somewhere in v.
func (m *maker) replaced(v any, place string) any {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if len(keys) == 0 || m.IntN(8) == 0 {
			v[pick(m, "extra", "status", "Status", "__proto__", "", "a.b", "$ref")] = place
			return v
		}
		key := pick(m, keys...)
		v[key] = m.replaced(v[key], place)
		return v
	case []any:
		if len(v) == 0 || m.IntN(4) == 0 {
			return place
		}
		i := m.IntN(len(v))
		v[i] = m.replaced(v[i], place)
		return v
	}
	return place
}

// wrongType is a whole body of another type than an object.
func (m *maker) wrongType() malformed {
	r := m.any(true)
	r.body = pick(m, append([]string{"null", "[]", "[{}]", "false", `""`, `{"":""}`, `{"` + strings.Repeat("k", 5000) + `":1}`,
		`{"items":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, strings.Repeat(" ", 5000)}, numbers...)...)
	return malformed{class: "type of the body", method: r.method, request: r.bytes()}
}

func (m *maker) framing() malformed {
	r := m.any(true)
	head, _, _ := strings.Cut(r.bytes(), "Content-Length")
	c := malformed{class: "framing", method: r.method, wire: true}
	switch m.IntN(9) {
	case 0: // less than promised
		c.request, c.cut = head+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(r.body)+1+m.IntN(1000), r.body), true
	case 1: // cut within the header
		whole := r.bytes()
		c.request, c.cut = whole[:1+m.IntN(len(head))], true
	case 2:
		c.request = head + "Content-Length: " + pick(m, "-1", "x", "1e3", "99999999999999999999", " ", "0x10", "+3",
			"1,2") + "\r\n\r\n" + r.body
	case 3:
		c.request = head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s", len(r.body), len(r.body)+1, r.body)
	case 4: // both framings: the answer must not leave the rest to be read as another request
		c.request = head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/users HTTP/1.1\r\n\r\n",
			len(r.body))
	case 5:
		c.request, c.cut = head+"Transfer-Encoding: chunked\r\n\r\n"+pick(m, "zz\r\n", "5\r\nabc", "ffffffffffffffffff\r\n", "-1\r\n",
			"3\r\n{}x{}\r\n0\r\n\r\n", "\r\n\r\n",
			"2;"+strings.Repeat("x", 5000)+"\r\n{}\r\n0\r\n\r\n", "2\n{}\n0\n\n", "2\r\n{}\r\n0\r\nTrailer: "+mark+"\r\n"), true
	case 6:
		c.request = head + "Transfer-Encoding: " + pick(m, "gzip", "identity", "chunked, chunked", "xchunked", "chunked\x0b",
			"") + "\r\n\r\n" + r.body
	case 7:
		c.request = head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
	case 8:
		c.request = head + "Content-Encoding: " + pick(m, "gzip", "deflate", "br", "identity",
			mark) + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(r.body)) + "\x1f\x8b" + r.body[2:]
	}
	return c
}

func (m *maker) oddMethod() malformed {
	r := m.any(false)
	r.method = pick(m, "get", "Post", "TRACE", "CONNECT", "PROPFIND", "PATCH", "OPTIONS", "LINK", "PURGE", "FOO", "X-"+mark,
		strings.Repeat("A", 2000), "GET,POST", "PRI", "G\x00T", "GÉT", "")
	return malformed{class: "method", method: r.method, request: r.bytes(), wire: !slices.Contains([]string{http.MethodTrace,
		http.MethodPatch, http.MethodOptions, "PURGE", "FOO"}, r.method), refused: true}
}

func (m *maker) badPath() malformed {
	r := m.any(false)
	c := malformed{class: "path", wire: true}
	switch m.IntN(5) {
	case 0:
		r.path += pick(m, "/", "//", "/.", "/..", "/%2e%2e", "%00", "/%00", ";a=b", "%2f", "%zz", "%", "%c0%af", "%ff", "\\",
			"/../../etc/passwd", "/"+mark, "%0d%0aSet-Cookie:%20a=b", "*", "#"+mark)
	case 1:
		r.path = pick(m, "", "*", "api/users", "//api/users", "http://"+mark+"/api/users", "https://x:99999/", "/api//users", "/./api/users",
			"/API/USERS", "/api/users\x00", "/\xff\xfe", "/ü", "/api users",
			"/docs/../../secret.key", "/docs/%2e%2e%2fsecret.key", "/docs/..%5c..", "/docs/.js", "/.git/config", "/debug/pprof/",
			"/.well-known/../api/users", "?", "/?")
	case 2:
		r.path = "/" + strings.Repeat(pick(m, "a", "a/", "%20", "../"), pick(m, 100, 4000, 20_000))
	default:
		parts := strings.Split(r.path, "/")
		parts[len(parts)-1] = pick(m, mark, "0", "-1", "null", "%00", "%27%20OR%201=1--", "018F3B1C-9C3A-7C1E-8B56-0A4C5D9E2F10",
			"{018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10}",
			"urn:uuid:018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10", "018f3b1c9c3a7c1e8b560a4c5d9e2f10", strings.Repeat("1", 3000), "me%2f", "%C3%28", "…")
		r.path = strings.Join(parts, "/")
	}
	c.method, c.request = r.method, r.bytes()
	return c
}

func (m *maker) badQuery() malformed {
	r := m.any(false)
	if m.IntN(3) > 0 {
		r.method, r.body = http.MethodGet, ""
		r.path = pick(m, "/api/orders", "/api/users", "/api/events", "/api/poison", "/api/auth/sessions")
	}
	name := pick(m, "limit", "cursor", "status", "user_id", "email", "type", "key", "after", "before", "order", "source", "correlation_id",
		"consumer", "fingerprint", "odd", "")
	value := pick(m, mark, "", "%00", "%ff", "%zz", "%", "-1", "0", "201", "99999999999999999999", "1e3", "0x1", "null", "[]", "{}", "'",
		"%27%20OR%20%271%27=%271", "%25%5F", "+", "%0d%0a", "2026-13-01T00:00:00Z",
		"2026-01-01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00+25:00", "2026-01-01T00:00:00.123456789123Z",
		"-0001-01-01T00:00:00Z", strings.Repeat("A", 3000),
		"AAAA", "bm90IGEgY3Vyc29y", "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10", "PLACED", "placed,cancelled", "%F0%9F%98%80", "ſtatus")
	r.query = "?" + name + "=" + value
	switch m.IntN(6) {
	case 0:
		r.query += "&" + name + "=" + value
	case 1:
		r.query += pick(m, ";a=b", "&", "&&&", "&=", "&%", "?"+r.query, "&limit[]=1", "&"+strings.Repeat("a&", 2000), "#"+mark)
	}
	return malformed{class: "query", method: r.method, request: r.bytes(), wire: true}
}

func (m *maker) badHeader() malformed {
	r := m.any(false)
	token := pick(m, m.tokens...)
	value := pick(m, secretMark, "", "*", "\""+secretMark+"\"", "W/\"1\"", "\"1\", \"2\"", "\"", ",", "W/", "\"\xff\"", strings.Repeat("x",
		300), strings.Repeat("\"1\",", 2000), "é", "\xff\xfe", "\t", "0", "-1", "q=1;", "a\tb")
	r.headers = append(r.headers, pick(m, "If-Match: ", "If-None-Match: ", "Idempotency-Key: ", "X-Correlation-ID: \"", "Traceparent: ",
		"Tracestate: ", "X-Forwarded-For: ", "Forwarded: for=", "X-Real-IP: ",
		"Accept-Encoding: ", "Accept: ", "Accept-Language: ", "Range: bytes=", "Origin: ", "Access-Control-Request-Method: ",
		"Last-Event-ID: ", "User-Agent: ", "Referer: ", "Cookie: ", "Upgrade: ", "If-Modified-Since: ",
		"X-HTTP-Method-Override: ", "Content-Type: ", "Date: ", "Via: ", "Authorization: ", "Authorization: Bearer ",
		"Authorization: bearer "+token+" ", "Authorization: Basic ", "Expect: ", "Te: ", "X-Odd: ")+value)
	if m.IntN(4) == 0 {
		r.headers = append(r.headers, r.headers[len(r.headers)-1])
	}
	return malformed{class: "header", method: r.method, request: r.bytes(), wire: true}
}

func (m *maker) badWire() malformed {
	r := m.any(false)
	whole := r.bytes()
	c := malformed{class: "wire", method: r.method, wire: true}
	switch m.IntN(9) {
	case 0:
		c.request = strings.Replace(whole, "HTTP/1.1", pick(m, "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/9.9", "HTTP", "http/1.1", "",
			"HTTP/1.1 x"), 1)
	case 1:
		c.request = strings.Replace(whole, "Host: x\r\n", pick(m, "", "Host: x\r\nHost: y\r\n", "Host: \r\n", "Host: a b\r\n",
			"Host: "+mark+"/\r\n", "Host : x\r\n", "Host: x:99999\r\n"), 1)
	case 2:
		c.request = strings.Replace(whole, "Host: x\r\n", "Host: x\r\nX-Big: "+strings.Repeat(mark, pick(m, 100, 8000))+"\r\n", 1)
	case 3:
		c.request = strings.Replace(whole, "Host: x\r\n", "Host: x\r\n"+strings.Repeat("X-Many: "+mark+"\r\n", pick(m, 50, 500, 5000)), 1)
	case 4:
		c.request = strings.Replace(whole, "Host: x\r\n", "Host: x\r\n"+pick(m, " folded: x\r\n", "No Colon\r\n", ": nameless\r\n",
			"Sp ace: x\r\n", "X-Nul: a\x00b\r\n", "X-CR: a\rb\r\n", "X-LF: a\nb\r\n", "Ünicode: x\r\n", "X-Ctl: \x07\r\n", "X\x7f: y\r\n"), 1)
	case 5:
		c.request = strings.ReplaceAll(whole, "\r\n", pick(m, "\n", "\r", "\r\r\n"))
		c.cut = true
	case 6:
		noise := make([]byte, 1+m.IntN(300))
		for i := range noise {
			noise[i] = byte(m.Uint32())
		}
		c.request, c.cut = string(noise)+"\r\n\r\n", true
	case 7:
		c.request, c.cut = pick(m, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-x\r\n",
			"\r\n\r\n\r\n\r\n", "GET / HTTP/1.1\r\n"+strings.Repeat("a", 70_000), "{\"a\":1}\r\n\r\n"), true
	case 8:
		c.request = strings.Replace(whole, "Connection: close\r\n", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: "+pick(m, "h2c",
			"websocket", mark)+"\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", 1)
		c.cut = true
	}
	return c
}
