package rest

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
)

var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// FuzzWholeNumber holds it against exact arithmetic.
func FuzzWholeNumber(f *testing.F) {
	for _, seed := range []string{
		"0", "-0", "1.0", "1e2", "100e-2", "1.5", "15e-1", "0.000e99999999999999999999", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "-9223372036854775809", "92233720368547758.07e2", "1e18", "1e19", "1e400", "1e-400", "1E+0", "10.00",
		"1000000000000000000000000000000e-30", "1e99999999999999999999", "1e-99999999999999999999", "0e0", "1.10e1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		if !number.MatchString(literal) {
			return // rules.check asks for JSON's numbers alone
		}
		n, fits, whole := wholeNumber(literal)
		_, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
		if len(strings.TrimLeft(exponent, "+-0")) > 3 {
			return // too costly to reckon exactly
		}
		exact, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatalf("%q is no number", literal)
		}
		if whole != exact.IsInt() || fits != (whole && exact.Num().IsInt64()) || fits && exact.Num().Int64() != n {
			t.Fatalf("%q is read as %d, fits %v, whole %v", literal, n, fits, whole)
		}
	})
}
