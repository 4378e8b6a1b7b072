package process

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/millrace/millrace/config"
)

// Bounds of one value of a log line, in bytes. A cause may quote what a stranger sent; a stack does not.
const (
	mostLogged = 4 << 10
	mostStack  = 32 << 10
)

// newLogger writes to w as configured. Values are clipped, and characters that a terminal obeys or hides, such as control characters and
// those that turn the direction of writing, are escaped in every format.
func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: clipped}
	if cfg.LogJSON {
		return slog.New(slog.NewJSONHandler(visible{w}, options))
	}
	return slog.New(slog.NewTextHandler(visible{w}, options))
}

// clipped shortens a's value where it is text.
func clipped(_ []string, a slog.Attr) slog.Attr {
	most := mostLogged
	if a.Key == "stack" {
		most = mostStack
	}
	text := ""
	switch a.Value.Kind() { //nolint:exhaustive // the others have a bound
	case slog.KindString:
		text = a.Value.String()
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			text = messageOf(v)
		case fmt.Stringer, *slog.Source:
			return a
		default:
			text = fmt.Sprintf("%+v", v)
		}
	default:
		return a
	}
	if len(text) <= most {
		return a
	}
	a.Value = slog.StringValue(strings.ToValidUTF8(text[:most], "") + "…")
	return a
}

// messageOf returns what err says, also where it is a nil pointer: the line is written all the same.
func messageOf(err error) (message string) {
	defer func() {
		if recover() != nil {
			message = ""
		}
	}()
	return err.Error()
}

// visible passes on lines of a log with what is not printable in them escaped. JSON and the quoted values of text know the same escapes,
// and nothing else in a line holds such characters.
type visible struct{ to io.Writer }

// Write implements io.Writer. Handlers give it whole lines.
func (v visible) Write(line []byte) (int, error) {
	if !hidden(line) {
		return v.to.Write(line)
	}
	out := make([]byte, 0, len(line)+64)
	for rest := line; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		out = appendVisible(out, r, rest[:size])
		rest = rest[size:]
	}
	if _, err := v.to.Write(out); err != nil {
		return 0, err
	}
	return len(line), nil
}

func hidden(line []byte) bool {
	for _, c := range line {
		if c >= utf8.RuneSelf || c < ' ' && c != '\n' || c == '\x7f' {
			return true
		}
	}
	return false
}

func appendVisible(out []byte, r rune, raw []byte) []byte {
	switch {
	case unicode.IsPrint(r) && r != utf8.RuneError, r == '\n' && len(raw) == 1:
		return append(out, raw...)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
