package orderhttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order/command"
)

func TestPlaceAnswersTheWholeOrder(t *testing.T) {
	t.Parallel()
	a := setup(t)
	res := a.call(t, "ada", http.MethodPost, "/api/orders", order)
	body := text(t, res)
	require.Equal(t, http.StatusCreated, res.StatusCode, body)
	require.Equal(t, "private, no-cache", res.Header.Get("Cache-Control"))
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	id, err := uuid.Parse(got["id"].(string))
	require.NoError(t, err)
	require.EqualValues(t, 7, id.Version())
	require.Equal(t, "/api/orders/"+id.String(), res.Header.Get("Location"))
	createdAt, err := time.Parse(time.RFC3339, got["created_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), createdAt, time.Minute)
	require.True(t, strings.HasSuffix(got["created_at"].(string), "Z"))
	require.Equal(t, map[string]any{
		"id": id.String(), "user_id": idOf("ada").String(), "status": "placed",
		"items": []any{
			map[string]any{"sku": "book", "quantity": 2.0, "unit_price": 1250.0},
			map[string]any{"sku": "pen", "quantity": 1.0, "unit_price": 99.0},
		},
		"currency": "EUR", "total": 2599.0, "note": "ring twice", "version": 1.0,
		"created_at": got["created_at"], "updated_at": got["created_at"],
	}, got)
	require.Equal(t, got, a.done(t, http.StatusOK, "ada", http.MethodGet, "/api/orders/"+id.String(), ""))
	require.Equal(t, []string{contract.TypeOrderPlaced}, a.published(t))
}

func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	a := setup(t)
	item := `{"sku":"book","quantity":1,"unit_price":1}`
	many := "[" + strings.Repeat(item+",", 100) + item + "]"
	for name, c := range map[string]struct {
		body     string
		status   int
		location string
	}{
		"status":               {`{"items":[` + item + `],"currency":"EUR","status":"cancelled"}`, 422, "body.status"},
		"total":                {`{"items":[` + item + `],"currency":"EUR","total":1}`, 422, "body.total"},
		"version":              {`{"items":[` + item + `],"currency":"EUR","version":1}`, 422, "body.version"},
		"another's user_id":    {`{"items":[` + item + `],"currency":"EUR","user_id":"` + idOf("bob").String() + `"}`, 403, ""},
		"user_id that is none": {`{"items":[` + item + `],"currency":"EUR","user_id":"secret"}`, 422, "body.user_id"},
		"no items":             {`{"items":[],"currency":"EUR"}`, 422, "body.items"},
		"items missing":        {`{"currency":"EUR"}`, 422, "body"},
		"items null":           {`{"items":null,"currency":"EUR"}`, 422, "body.items"},
		"101 items":            {`{"items":` + many + `,"currency":"EUR"}`, 422, "body.items"},
		"no quantity":          {`{"items":[{"sku":"book","unit_price":1}],"currency":"EUR"}`, 422, "body.items[0]"},
		"quantity 0":           {`{"items":[{"sku":"book","quantity":0,"unit_price":1}],"currency":"EUR"}`, 422, "body.items[0].quantity"},
		"half a quantity":      {`{"items":[{"sku":"book","quantity":0.5,"unit_price":1}],"currency":"EUR"}`, 422, "body.items[0].quantity"},
		"negative price":       {`{"items":[{"sku":"book","quantity":1,"unit_price":-1}],"currency":"EUR"}`, 422, "body.items[0].unit_price"},
		"no safe sku":          {`{"items":[{"sku":"<script>","quantity":1,"unit_price":1}],"currency":"EUR"}`, 422, "body.items[0].sku"},
		"sku with a line end":  {`{"items":[{"sku":"book\n","quantity":1,"unit_price":1}],"currency":"EUR"}`, 422, "body.items[0].sku"},
		"overflow":             {`{"items":[{"sku":"book","quantity":4611686018427387904,"unit_price":2}],"currency":"EUR"}`, 422, "body.items"},
		"unknown currency":     {`{"items":[` + item + `],"currency":"XXX"}`, 422, "body.currency"},
		"currency in lower":    {`{"items":[` + item + `],"currency":"eur"}`, 422, "body.currency"},
		"currency missing":     {`{"items":[` + item + `]}`, 422, "body"},
		"long note":            {`{"items":[` + item + `],"currency":"EUR","note":"` + strings.Repeat("ß", 1001) + `"}`, 422, "body.note"},
		"note with a bell":     {`{"items":[` + item + `],"currency":"EUR","note":"\u0007"}`, 422, "body.note"},
		"another case": {
			`{"items":[{"sku":"b","quantity":1,"Quantity":-5,"unit_price":1}],"currency":"EUR"}`, 422, "body.items[0].Quantity",
		},
		"no JSON":       {`order please`, 400, "body"},
		"duplicate key": {`{"items":[` + item + `],"currency":"EUR","currency":"USD"}`, 400, "body"},
		"nothing":       {``, 400, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := a.refused(t, c.status, "ada", http.MethodPost, "/api/orders", c.body)
			if c.location != "" {
				require.NotEmpty(t, p.Errors)
				require.Equal(t, c.location, p.Errors[0].Location)
			}
		})
	}
	t.Cleanup(func() { require.Empty(t, a.published(t)) })
}

func TestPlaceAtTheBordersOf64Bits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		t.Helper()
		const most = "9223372036854775807"
		item := func(quantity, price string) string {
			return `{"sku":"book","quantity":` + quantity + `,"unit_price":` + price + `}`
		}
		hundred := strings.Repeat(item("92233720368547758", "1")+",", 99)
		for _, c := range []struct {
			items, total string // an empty total: refused
		}{
			{item(most, "1"), most},
			{item("1", most), most},
			{item("3037000499", "3037000499"), "9223372030926249001"},
			{item("3037000500", "3037000500"), ""},
			{item(most, "2"), ""},
			{item("4611686018427387904", "2"), ""},
			{item("4611686018427387903", "2") + "," + item("1", "1"), most},
			{item("4611686018427387903", "2") + "," + item("1", "2"), ""},
			{item(most, "1") + "," + item("1", "1"), ""},
			{item(most, "1") + "," + item(most, "0"), most},
			{hundred + item("92233720368547758", "1"), "9223372036854775800"},
			{hundred + item("92233720368547765", "1"), most},
			{hundred + item("92233720368547766", "1"), ""},
			{item("9223372036854775808", "1"), ""},
			{item("1", "1e3"), "1000"},
			{item("1.00", "92233720368547758.07E+2"), most},
			{item("1", "1.5"), ""},
			{item("1", "1e19"), ""},
			{item("1", "-9223372036854775808"), ""},
		} {
			res := a.call(t, "ada", http.MethodPost, "/api/orders", `{"currency":"EUR","items":[`+c.items+`]}`)
			body := text(t, res)
			if c.total == "" {
				require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "%.200s", c.items)
				continue
			}
			require.Equal(t, http.StatusCreated, res.StatusCode, body)
			require.Contains(t, body, `"total":`+c.total+`,`)
			require.Contains(t, text(t, a.call(t, "ada", http.MethodGet, res.Header.Get("Location"), "")), `"total":`+c.total+`,`)
			res = a.call(t, "ada", http.MethodPut, res.Header.Get("Location"), `{"items":[`+item(most, "1")+","+item("1", "1")+`]}`)
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "also where an order is changed")
		}
	})
}

// An order weighs at most what a body may, however many spaces it is sent with.
func TestPlaceBoundsTheSizeOfAnOrder(t *testing.T) {
	t.Parallel()
	a := setup(t)
	body := func(sku, price, space string) string {
		item := `{"sku":"` + sku + `",` + space + `"quantity":1,"unit_price":` + price + `}`
		return `{"currency":"EUR","note":"` + strings.Repeat(`\u00e9`, 1000) + `","items":[` + strings.Repeat(item+",", 99) + item + `]}`
	}
	sku := strings.Repeat("s", 64)
	a.done(t, http.StatusCreated, "ada", http.MethodPost, "/api/orders", body(sku, "92233720368547758", strings.Repeat(" ", 9000)))
	p := a.refused(t, http.StatusUnprocessableEntity, "ada", http.MethodPost, "/api/orders", body(sku, "1."+strings.Repeat("0", 600), ""))
	require.Contains(t, p.Errors[0].Message, "exceeds 65536 bytes")
}

func TestPlaceForAnother(t *testing.T) {
	t.Parallel()
	a := setup(t)
	body := func(name string) string {
		return strings.Replace(order, "{", `{"user_id":"`+idOf(name).String()+`",`, 1)
	}
	require.Equal(t, idOf("ada").String(), a.done(t, http.StatusCreated, "admin", http.MethodPost, "/api/orders", body("ada"))["user_id"])
	a.done(t, http.StatusCreated, "ada", http.MethodPost, "/api/orders", body("ada"))
	require.Equal(t, "user_forbidden", a.refused(t, http.StatusForbidden, "bob", http.MethodPost, "/api/orders", body("ada")).Code)
}

func TestPlaceForADeletedUserIsAConflict(t *testing.T) {
	t.Parallel()
	a := setup(t)
	require.NoError(t, a.store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		return tx.ForgetCustomer(ctx, idOf("ada"), time.Now())
	}))
	require.Equal(t, "customer_deleted", a.refused(t, http.StatusConflict, "ada", http.MethodPost, "/api/orders", order).Code)
}
