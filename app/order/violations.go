package order

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/app/fault"
)

// Limits of what an order takes; texts in characters.
const (
	MaxItems  = 100
	MaxSKU    = 64
	MaxNote   = 1000
	MaxReason = 500
)

// violations collects every rule that given values break, so that a caller learns of all at once. Its methods give the
// value back.
type violations []fault.Field

func (v *violations) add(location, format string, args ...any) {
	*v = append(*v, fault.Field{Location: location, Message: fmt.Sprintf(format, args...)})
}

func (v *violations) err() error {
	if len(*v) == 0 {
		return nil
	}
	return fault.NewInvalid(*v...)
}

func (v *violations) items(items []Item) []Item {
	if len(items) == 0 || len(items) > MaxItems {
		v.add("body.items", "must have 1 to %d items", MaxItems)
		return items
	}
	for i, item := range items {
		v.item(fmt.Sprintf("body.items[%d]", i), item)
	}
	return items
}

func (v *violations) item(location string, item Item) {
	if !validSKU(item.SKU) {
		v.add(location+".sku", "must have 1 to %d letters, digits or any of -_.:/+", MaxSKU)
	}
	if item.Quantity < 1 {
		v.add(location+".quantity", "must be at least 1")
	}
	if item.UnitPrice < 0 {
		v.add(location+".unit_price", "must be at least 0")
	}
}

// total is 0 where items themselves broke a rule: what they add up to means nothing.
func (v *violations) total(items []Item) int64 {
	if len(*v) > 0 {
		return 0
	}
	sum, ok := total(items)
	if !ok {
		v.add("body.items", "must not add up to more than 64 bits hold")
	}
	return sum
}

func (v *violations) currency(code string) string {
	if !validCurrency(code) {
		v.add("body.currency", "must be a currency code of ISO 4217 in capital letters")
	}
	return code
}

func (v *violations) note(s string) string {
	v.text("body.note", s, MaxNote)
	return s
}

func (v *violations) reason(s string) string {
	v.text("body.reason", s, MaxReason)
	return s
}

func (v *violations) text(location, s string, most int) {
	if utf8.RuneCountInString(s) > most {
		v.add(location, "must have at most %d characters", most)
	}
	if !printable(s) {
		v.add(location, "must not contain control characters other than tabs and line ends")
	}
}

// printable refuses what a terminal would obey and a database could cut short.
func printable(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
	}
	return utf8.ValidString(s)
}

func validSKU(s string) bool {
	if s == "" || len(s) > MaxSKU {
		return false
	}
	for i := range len(s) {
		if !skuByte(s[i]) {
			return false
		}
	}
	return true
}

func skuByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', ':', '/', '+':
		return true
	}
	return false
}
