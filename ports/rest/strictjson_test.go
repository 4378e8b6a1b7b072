package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzReadJSON holds the strict reader against encoding/json and a plain walk for keys that appear twice.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `[{"a":1},{"a":1}]`, "\"\xff\"", `"\ud800"`, `{} {}`, `1e400`, ``, `[[[[`,
		`{"a":[{"b":{"c":null,"c":null}}]}`, "\xef\xbb\xbf{}", `{"":1,"":2}`, `-0`, `01`, `{"ſ":1,"s":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict any
		err := readJSON(data, &strict)
		good := utf8.Valid(data) && json.Valid(data) && !loneSurrogate(data) && !twice(data)
		var plain any
		if good {
			good = json.Unmarshal(data, &plain) == nil // a number beyond float64 is refused too
		}
		if (err == nil) != good {
			t.Fatalf("read %q: error %v, but well formed is %v", data, err, good)
		}
		if good && !reflect.DeepEqual(strict, plain) {
			t.Fatalf("read %q as %v instead of %v", data, strict, plain)
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

// loneSurrogate reports whether a string in data escapes half of a pair, which encoding/json replaces silently.
func loneSurrogate(data []byte) bool {
	var raw any
	d := json.NewDecoder(bytes.NewReader(data))
	if d.Decode(&raw) != nil {
		return false
	}
	return countReplacements(raw) > bytes.Count(data, []byte("\uFFFD"))+countEscaped(data)
}

func countEscaped(data []byte) int {
	return bytes.Count(bytes.ToLower(data), []byte(`\ufffd`))
}

func countReplacements(v any) int {
	switch v := v.(type) {
	case string:
		n := 0
		for _, r := range v {
			if r == utf8.RuneError {
				n++
			}
		}
		return n
	case []any:
		n := 0
		for _, e := range v {
			n += countReplacements(e)
		}
		return n
	case map[string]any:
		n := 0
		for k, e := range v {
			n += countReplacements(k) + countReplacements(e)
		}
		return n
	}
	return 0
}
