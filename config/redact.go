package config

import (
	"log/slog"
	"regexp"
	"strings"
)

// credentials are what may stand before the host of a URL, or of a DSN of MySQL. A password may hold any character that is not white space,
// so everything up to the last @ is taken for one: too much rather than too little.
var credentials = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s]*@|[^\s"'=]*:[^\s]*@((?:tcp|unix)\()`)

// Redact returns s without the user names and passwords of the URLs in it. Everything that the program prints goes through it, because
// an error of a driver or of the command line may repeat what it was given.
func Redact(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	return credentials.ReplaceAllString(s, "${1}xxxxx@$2")
}

// RedactAttr is Redact for the values of the log: slog.HandlerOptions.ReplaceAttr.
func RedactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Redact(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(Redact(err.Error()))
		}
	default:
	}
	return a
}
