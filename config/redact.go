package config

import (
	"log/slog"
	"regexp"
	"strconv"
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
	for i, example := range examples {
		s = strings.ReplaceAll(s, example, mark(i))
	}
	s = credentials.ReplaceAllString(s, "${1}xxxxx@$2")
	for i, example := range examples {
		s = strings.ReplaceAll(s, mark(i), example)
	}
	return s
}

// examples are the forms of URLs in our own texts. They hold no secret, and help nobody without their middle.
var examples = []string{
	"mysql://user:password@host:3306/", "nats://[user:password@]host:4222[,host2:4222]", "nats://[user:pass@]host:4222[,host2:4222]",
}

// mark stands for an example while credentials are taken out. It has no character that these are told by.
func mark(i int) string { return "\x00example" + strconv.Itoa(i) + "\x00" }

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
