package order

import "math"

// Item is one line of an order. UnitPrice is in minor units of the order's currency.
type Item struct {
	SKU       string
	Quantity  int64
	UnitPrice int64
}

// total adds up items; ok is false where the sum does not fit into 64 bits. It takes quantities from 1 and prices from 0.
func total(items []Item) (sum int64, ok bool) {
	for _, item := range items {
		if item.UnitPrice > (math.MaxInt64-sum)/item.Quantity {
			return 0, false
		}
		sum += item.Quantity * item.UnitPrice
	}
	return sum, true
}
