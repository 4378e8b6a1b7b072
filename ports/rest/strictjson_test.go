package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// anything are rules that every value keeps.
var anything = &rules{schema: &huma.Schema{}}

// deep reports whether data has values in one another deeper than is read. Data is valid JSON.
func deep(data []byte) bool {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest > maxDepth
}

// FuzzStrictJSON holds the strict reader against encoding/json and a plain walk for keys that appear twice.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `[{"a":1},{"a":1}]`, "\"\xff\"", `"\ud800"`, `{} {}`, `1e400`, ``, `[[[[`,
		`{"a":[{"b":{"c":null,"c":null}}]}`, "\xef\xbb\xbf{}", `{"":1,"":2}`, `-0`, `01`, `{"ſ":1,"s":2}`,
		`"\ud83d\ude00"`, `"\\ud800"`, `"\ude00\ud83d"`, `"\ufffd"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, no := anything.check(heldBody{data: data, size: int64(len(data))})
		good := utf8.Valid(data) && json.Valid(data) && !loneSurrogate(data) && !twice(data)
		if read := no == nil; read && !good || !read && good && !deep(data) {
			t.Fatalf("read %q: refused with %v, but well formed is %v", data, no, good)
		}
	})
}

// twice reports whether an object in data has a key twice. Data is valid JSON.
func twice(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	var keys []map[string]bool // of each open object; nil for an array
	expectKey := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			return false
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				keys = append(keys, map[string]bool{})
				expectKey = true
				continue
			case '[':
				keys = append(keys, nil)
			default:
				keys = keys[:len(keys)-1]
			}
		case string:
			if expectKey {
				top := keys[len(keys)-1]
				if top[v] {
					return true
				}
				top[v] = true
				expectKey = false
				continue
			}
		}
		expectKey = len(keys) > 0 && keys[len(keys)-1] != nil
	}
}

// loneSurrogate reports whether a string in data escapes half of a pair, which encoding/json replaces silently. Data is valid
// JSON, so that a backslash stands only in strings.
func loneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		first, ok := escaped(data, i)
		if !ok {
			i++ // an escape of one character
			continue
		}
		i += 5
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, ok := escaped(data, i+1)
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escaped gives the code unit of the escape \uXXXX at i.
func escaped(data []byte, i int) (rune, bool) {
	if len(data) < i+6 || data[i] != '\\' || data[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}
