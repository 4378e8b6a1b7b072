package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

// nothing is an error whose message cannot be had.
type nothing struct{ text string }

func (n *nothing) Error() string { return n.text }

// shown holds what a terminal shows as it stands.
func shown(t *testing.T, line []byte) {
	t.Helper()
	require.True(t, utf8.Valid(line))
	require.Equal(t, 1, bytes.Count(line, []byte("\n")), "one line: %q", line)
	for _, r := range string(bytes.TrimSuffix(line, []byte("\n"))) {
		require.True(t, unicode.IsPrint(r), "%U in %q", r, line)
	}
}

func TestControlAndBidiCharactersAreEscapedInTheLog(t *testing.T) {
	t.Parallel()
	hostile := "a\u202etxt.exe\u2066b\u2069\u200f\u061c\u200b\ufeff\u2028\x1b[31m\x7f\u0085\u009b\U000e0041\x00\r\n\t\"\\ü界 \ufffd"
	for name, asJSON := range map[string]bool{"text": false, "json": true} {
		for what, value := range map[string]any{
			"string": hostile, "error": errors.New(hostile), "bytes that are no text": hostile + "\xff", "slice": []string{hostile},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				var line bytes.Buffer
				newLogger(config.Config{LogJSON: asJSON}, &line).Error("request", "value", value)
				shown(t, line.Bytes())
				if what != "string" {
					return
				}
				got := ""
				if asJSON {
					var object map[string]any
					require.NoError(t, json.Unmarshal(line.Bytes(), &object))
					got, _ = object["value"].(string)
				} else {
					_, quoted, _ := strings.Cut(strings.TrimSpace(line.String()), "value=")
					var err error
					got, err = strconv.Unquote(quoted)
					require.NoError(t, err)
				}
				require.Equal(t, hostile, got, "nothing is lost")
			})
		}
	}
}

func TestLogFieldsAreClipped(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 100_000)
	for name, asJSON := range map[string]bool{"text": false, "json": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var line bytes.Buffer
			log := newLogger(config.Config{LogJSON: asJSON}, &line)
			log.Error("failed", "text", long, "error", errors.New(long), "list", []string{long}, slog.Group("group", "text", long))
			shown(t, line.Bytes())
			require.Less(t, line.Len(), 6*mostLogged)
			line.Reset()
			log.Error("panicked", "stack", strings.Repeat("at main.go\n", 2000), "error", (*nothing)(nil), "count", 7)
			require.Contains(t, line.String(), "7")
			require.Greater(t, line.Len(), 2000*len("at main.go"), "a stack is told whole")
		})
	}
}

func FuzzLogLine(f *testing.F) {
	f.Add("\u202e\x1b[0m", true)
	f.Add("\xff\U000e0041\n", false)
	f.Fuzz(func(t *testing.T, value string, asJSON bool) {
		var line bytes.Buffer
		newLogger(config.Config{LogJSON: asJSON}, &line).Error("request", "value", value)
		shown(t, line.Bytes())
		if !asJSON {
			return
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal(line.Bytes(), &object))
		if utf8.ValidString(value) && len(value) <= mostLogged {
			require.Equal(t, value, object["value"])
		}
	})
}
