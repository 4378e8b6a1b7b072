package rest

import (
	"strconv"
	"strings"
)

// wholeNumber reads a number of JSON that may be written with a point or an exponent: 100, 100.0 and 1e2 are one number. It reports
// whether the number is whole, and gives it where 64 bits hold it.
func wholeNumber(literal string) (n int64, fits, whole bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	integer, fraction, _ := strings.Cut(mantissa, ".")
	sign := ""
	if strings.HasPrefix(integer, "-") {
		sign, integer = "-", integer[1:]
	}
	digits := strings.TrimLeft(integer+fraction, "0")
	if digits == "" {
		return 0, true, true
	}
	significant := strings.TrimRight(digits, "0")
	zeros := saturated(exponent) - len(fraction) + len(digits) - len(significant) // behind the significant digits, or, below 0, missing
	const longest = 19                                                            // digits of 64 bits
	switch {
	case zeros < 0:
		return 0, false, false
	case zeros > longest || len(significant)+zeros > longest:
		return 0, false, true
	}
	n, err := strconv.ParseInt(sign+significant+strings.Repeat("0", zeros), 10, 64)
	return n, err == nil, true
}

// saturated reads an exponent, one that is too large as large enough: a body is never long enough for as many digits.
func saturated(exponent string) int {
	const enough = 1 << 30
	if exponent == "" {
		return 0
	}
	n, err := strconv.Atoi(exponent)
	switch {
	case err == nil:
		return max(-enough, min(n, enough))
	case strings.HasPrefix(exponent, "-"):
		return -enough
	}
	return enough
}
