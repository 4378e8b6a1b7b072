package order_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
)

var (
	id    = uuid.MustParse("0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98")
	buyer = uuid.MustParse("0195a1f0-0000-7000-8000-000000000001")
	at    = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
)

func draft() order.Draft {
	return order.Draft{
		UserID: buyer, Currency: "EUR", Note: "ring twice",
		Items: []order.Item{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen", Quantity: 1, UnitPrice: 0}},
	}
}

func placed(t *testing.T) order.Order {
	t.Helper()
	o, _, err := order.Place(id, draft(), at)
	require.NoError(t, err)
	return o
}

func locations(t *testing.T, err error) (locations []string) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	require.True(t, ok)
	require.Equal(t, fault.Invalid, e.Kind)
	for _, f := range e.Fields {
		locations = append(locations, f.Location)
	}
	return locations
}

func TestPlace(t *testing.T) {
	t.Parallel()
	o, event, err := order.Place(id, draft(), at)
	require.NoError(t, err)
	moment := time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	require.Equal(t, order.Order{
		ID: id, UserID: buyer, Status: order.Placed, Items: draft().Items, Currency: "EUR", Total: 2500, Note: "ring twice",
		Version: 1, Sequence: 1, CreatedAt: moment, UpdatedAt: moment,
	}, o)
	require.Equal(t, contract.OrderPlaced{Order: contract.Order{
		ID: id.String(), UserID: buyer.String(), Status: "placed", Currency: "EUR", Total: 2500, Version: 1,
		Items:     []contract.OrderItem{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen", Quantity: 1}},
		CreatedAt: moment, UpdatedAt: moment,
	}}, event)
}

func TestPlaceNamesEveryBrokenRule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(d *order.Draft)
		want   []string
	}{
		"nothing given": {func(d *order.Draft) { *d = order.Draft{} }, []string{"body.items", "body.currency"}},
		"101 items":     {func(d *order.Draft) { d.Items = make([]order.Item, 101) }, []string{"body.items"}},
		"broken items": {func(d *order.Draft) { d.Items[1] = order.Item{UnitPrice: -1} }, []string{
			"body.items[1].sku", "body.items[1].quantity", "body.items[1].unit_price",
		}},
		"negative quantity":     {func(d *order.Draft) { d.Items[0].Quantity = math.MinInt64 }, []string{"body.items[0].quantity"}},
		"longest sku":           {func(d *order.Draft) { d.Items[0].SKU = strings.Repeat("-", 64) }, nil},
		"longer sku":            {func(d *order.Draft) { d.Items[0].SKU = strings.Repeat("-", 65) }, []string{"body.items[0].sku"}},
		"sku with a space":      {func(d *order.Draft) { d.Items[0].SKU = "a b" }, []string{"body.items[0].sku"}},
		"sku in another script": {func(d *order.Draft) { d.Items[0].SKU = "книга" }, []string{"body.items[0].sku"}},
		"sku of all kinds":      {func(d *order.Draft) { d.Items[0].SKU = "aZ09-_.:/+" }, nil},
		"longest note":          {func(d *order.Draft) { d.Note = strings.Repeat("ß", 1000) }, nil},
		"longer note":           {func(d *order.Draft) { d.Note = strings.Repeat("ß", 1001) }, []string{"body.note"}},
		"note of lines":         {func(d *order.Draft) { d.Note = "one\r\n\ttwo" }, nil},
		"note with NUL":         {func(d *order.Draft) { d.Note = "a\x00b" }, []string{"body.note"}},
		"note of bytes":         {func(d *order.Draft) { d.Note = "\xff" }, []string{"body.note"}},
		"largest total":         {func(d *order.Draft) { d.Items = []order.Item{{SKU: "x", Quantity: math.MaxInt64, UnitPrice: 1}} }, nil},
		"product too large": {func(d *order.Draft) {
			d.Items = []order.Item{{SKU: "x", Quantity: math.MaxInt64, UnitPrice: 2}}
		}, []string{"body.items"}},
		"sum too large": {func(d *order.Draft) {
			d.Items = []order.Item{{SKU: "x", Quantity: 1, UnitPrice: math.MaxInt64}, {SKU: "y", Quantity: 1, UnitPrice: 1}}
		}, []string{"body.items"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := draft()
			c.change(&d)
			_, event, err := order.Place(id, d, at)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Nil(t, event)
			require.Equal(t, c.want, locations(t, err))
		})
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	for code, known := range map[string]bool{
		"EUR": true, "USD": true, "JPY": true, "AED": true, "ZWG": true, "SLE": true, "VES": true, "XOF": true, "CHF": true,
		"": false, " ": false, "   ": false, "EU": false, "EURO": false, "eur": false, "EUR ": false, "D E": false, "USDEUR": false,
		"XXX": false, "XTS": false, "XAU": false, "DEM": false, "HRK": false, "ABC": false, "R S": false, "ED ": false,
	} {
		d := draft()
		d.Currency = code
		_, _, err := order.Place(id, d, at)
		require.Equal(t, known, err == nil, "%q", code)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	o := placed(t)
	note, later := "", at.Add(time.Hour)
	event, err := o.Change(order.Change{Items: []order.Item{{SKU: "book", Quantity: 3, UnitPrice: 1}}, Note: &note}, later)
	require.NoError(t, err)
	require.EqualValues(t, 3, o.Total)
	require.Empty(t, o.Note)
	require.EqualValues(t, 2, o.Version)
	require.EqualValues(t, 2, o.Sequence)
	require.True(t, o.UpdatedAt.Equal(later.Truncate(time.Microsecond)))
	updated, ok := event.(contract.OrderUpdated)
	require.True(t, ok)
	require.EqualValues(t, 3, updated.Total)
	require.EqualValues(t, 2, updated.Version)
}

func TestChangeThatIsNone(t *testing.T) {
	t.Parallel()
	same, bell := "ring twice", "\a"
	for name, c := range map[string]struct {
		change order.Change
		broken []string
	}{
		"empty":     {order.Change{}, nil},
		"the same":  {order.Change{Items: draft().Items, Note: &same}, nil},
		"no items":  {order.Change{Items: []order.Item{}}, []string{"body.items"}},
		"bad note":  {order.Change{Note: &bell}, []string{"body.note"}},
		"too large": {order.Change{Items: []order.Item{{SKU: "x", Quantity: 2, UnitPrice: math.MaxInt64}}}, []string{"body.items"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := placed(t)
			event, err := o.Change(c.change, at.Add(time.Hour))
			require.Nil(t, event)
			require.Equal(t, placed(t), o)
			if c.broken == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.broken, locations(t, err))
		})
	}
}

func TestLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	o := placed(t)
	_, err := o.Delete(at)
	require.ErrorIs(t, err, order.ErrPlaced, "nobody would hear of its end")
	_, err = o.Cancel(order.Cancellation{Reason: strings.Repeat("x", 501)}, at)
	require.Equal(t, []string{"body.reason"}, locations(t, err))
	require.Equal(t, placed(t), o)

	later := at.Add(time.Hour).UTC().Truncate(time.Microsecond)
	event, err := o.Cancel(order.Cancellation{By: contract.ReasonCustomer, Reason: "too late"}, later)
	require.NoError(t, err)
	require.Equal(t, order.Cancelled, o.Status)
	require.Equal(t, "too late", o.CancelReason)
	require.Equal(t, later, *o.CancelledAt)
	require.EqualValues(t, 2, o.Version)
	cancelled, ok := event.(contract.OrderCancelled)
	require.True(t, ok)
	require.Equal(t, "cancelled", cancelled.Status)
	require.Equal(t, contract.ReasonCustomer, cancelled.Reason, "a code, never the text")
	require.Equal(t, later, *cancelled.CancelledAt)

	before := o
	event, err = o.Cancel(order.Cancellation{By: contract.ReasonAdmin, Reason: "again"}, later.Add(time.Hour))
	require.NoError(t, err)
	require.Nil(t, event)
	_, err = o.Change(order.Change{}, later)
	require.ErrorIs(t, err, order.ErrCancelled)
	require.Equal(t, before, o)

	event, err = o.Delete(later.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, contract.TypeOrderDeleted, event.Type())
	require.EqualValues(t, 3, o.Sequence)
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	all := append(order.Statuses(), "", "lost")
	for _, from := range all {
		require.Equal(t, from != order.Placed, from.Final(), "%q", from)
		for _, to := range all {
			require.Equal(t, from == order.Placed && to == order.Cancelled, from.Becomes(to), "%q to %q", from, to)
		}
	}
}

// FuzzTotal compares the total with the sum in numbers that cannot overflow.
func FuzzTotal(f *testing.F) {
	f.Add(int64(1), int64(0), int64(1), int64(0))
	f.Add(int64(math.MaxInt64), int64(1), int64(1), int64(1))
	f.Add(int64(1<<32), int64(1<<31), int64(1), int64(-1))
	f.Add(int64(3), int64(math.MaxInt64/3), int64(1), int64(2))
	f.Fuzz(func(t *testing.T, q1, p1, q2, p2 int64) {
		d := draft()
		d.Items = []order.Item{{SKU: "a", Quantity: q1, UnitPrice: p1}, {SKU: "b", Quantity: q2, UnitPrice: p2}}
		o, _, err := order.Place(id, d, at)
		product := func(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }
		want := new(big.Int).Add(product(q1, p1), product(q2, p2))
		fits := q1 > 0 && q2 > 0 && p1 >= 0 && p2 >= 0 && want.IsInt64()
		if fits != (err == nil) {
			t.Fatalf("%d*%d + %d*%d: fits %v, answered %v", q1, p1, q2, p2, fits, err)
		}
		if err == nil && big.NewInt(o.Total).Cmp(want) != 0 {
			t.Fatalf("%d*%d + %d*%d: got %d", q1, p1, q2, p2, o.Total)
		}
	})
}
