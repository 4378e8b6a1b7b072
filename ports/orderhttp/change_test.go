package orderhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
)

func TestUpdateIsAMerge(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")

	got := a.done(t, http.StatusOK, "ada", http.MethodPut, target, `{"items":[{"sku":"book","quantity":3,"unit_price":1000}]}`)
	require.EqualValues(t, 3000, got["total"])
	require.Equal(t, "ring twice", got["note"], "absent stays")
	require.EqualValues(t, 2, got["version"])

	got = a.done(t, http.StatusOK, "ada", http.MethodPut, target, `{"note":null}`)
	require.Empty(t, got["note"], "null clears")
	require.EqualValues(t, 3000, got["total"])
	require.EqualValues(t, 3, got["version"])

	got = a.done(t, http.StatusOK, "admin", http.MethodPut, target, `{"note":"by the admin"}`)
	require.Equal(t, "by the admin", got["note"])
	require.Equal(t, got, a.done(t, http.StatusOK, "ada", http.MethodPut, target, `{}`))
	require.Equal(t, got, a.done(t, http.StatusOK, "ada", http.MethodGet, target, ""))
	require.Len(t, a.published(t), 4)
}

func TestUpdateTakesWholeNumbersHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	a := setup(t)
	body := `{"items":[{"sku":"book","quantity":2.0,"unit_price":1.25e3}]}`
	res := a.call(t, "ada", http.MethodPut, a.placed(t, "ada"), body)
	require.Contains(t, text(t, res), `"items":[{"sku":"book","quantity":2,"unit_price":1250}]`)
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")
	for name, c := range map[string]struct {
		body     string
		status   int
		location string
	}{
		"items null":      {`{"items":null}`, 422, "body.items"},
		"no items":        {`{"items":[]}`, 422, "body.items"},
		"item null":       {`{"items":[null]}`, 422, "body.items[0]"},
		"broken item":     {`{"items":[{"sku":"book","quantity":0,"unit_price":1}]}`, 422, "body.items[0].quantity"},
		"unknown field":   {`{"items":[{"sku":"book","quantity":1,"unit_price":1,"x":1}]}`, 422, "body.items[0].x"},
		"beyond 64 bits":  {`{"items":[{"sku":"book","quantity":98765432109876543210,"unit_price":1}]}`, 422, "body.items[0].quantity"},
		"half an item":    {`{"items":[{"sku":"book","quantity":1.5,"unit_price":1}]}`, 422, "body.items[0].quantity"},
		"items no array":  {`{"items":"secret"}`, 422, "body.items"},
		"note no string":  {`{"note":7}`, 422, "body.note"},
		"long note":       {`{"note":"` + strings.Repeat("x", 1001) + `"}`, 422, "body.note"},
		"status":          {`{"status":"cancelled"}`, 422, "body.status"},
		"currency":        {`{"currency":"USD"}`, 422, "body.currency"},
		"user_id":         {`{"user_id":"` + idOf("bob").String() + `"}`, 422, "body.user_id"},
		"cut":             {`{"note":"secret`, 400, "body"},
		"nothing":         {``, 400, "body"},
		"another's array": {`[]`, 422, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := a.refused(t, c.status, "ada", http.MethodPut, target, c.body)
			require.NotEmpty(t, p.Errors)
			require.Equal(t, c.location, p.Errors[0].Location)
			require.NotContains(t, p.Errors[0].Message, "secret")
		})
	}
	t.Cleanup(func() { require.Len(t, a.published(t), 1) })
}

func TestCancelTwiceAnswersTheSame(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no body": ``, "empty object": `{}`, "null": `{"reason":null}`, "reason": `{"reason":"too late"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := setup(t)
			target := a.placed(t, "ada")
			first := a.done(t, http.StatusOK, "ada", http.MethodPost, target+"/cancel", body)
			require.Equal(t, "cancelled", first["status"])
			reason := ""
			if strings.Contains(body, "late") {
				reason = "too late"
			}
			require.Equal(t, reason, first["cancel_reason"])
			require.Equal(t, first["updated_at"], first["cancelled_at"])
			require.Equal(t, first, a.done(t, http.StatusOK, "admin", http.MethodPost, target+"/cancel", `{"reason":"another"}`))
			require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderCancelled}, a.published(t))

			require.Equal(t, "order_cancelled", a.refused(t, http.StatusConflict, "ada", http.MethodPut, target, `{"note":"x"}`).Code)
		})
	}
}

func TestCancelRefuses(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")
	a.refused(t, http.StatusUnprocessableEntity, "ada", http.MethodPost, target+"/cancel", `{"reason":"`+strings.Repeat("x", 501)+`"}`)
	a.refused(t, http.StatusUnprocessableEntity, "ada", http.MethodPost, target+"/cancel", `{"why":"x"}`)
	a.refused(t, http.StatusBadRequest, "ada", http.MethodPost, target+"/cancel", `{`)
	require.Equal(t, "placed", a.done(t, http.StatusOK, "ada", http.MethodGet, target, "")["status"])
}

func TestDeletedOrderIsGone(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")
	res := a.call(t, "ada", http.MethodDelete, target, "")
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.Empty(t, text(t, res))
	require.Equal(t, "order_not_found", a.refused(t, http.StatusNotFound, "ada", http.MethodGet, target, "").Code)
	a.refused(t, http.StatusNotFound, "ada", http.MethodDelete, target, "")
	a.refused(t, http.StatusNotFound, "ada", http.MethodPost, target+"/cancel", "")
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderCancelled, contract.TypeOrderDeleted}, a.published(t))
}
