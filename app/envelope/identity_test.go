package envelope_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/app/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The values never change: an inbox knows messages by them.
func TestDerivedIdentitiesAreForEver(t *testing.T) {
	t.Parallel()
	shop := map[string]string{"ce-id": "A-17", "ce-source": "/shop"}
	const own = "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10"
	for _, c := range []struct {
		want, name string
		metadata   map[string]string
	}{
		{own, own, shop},
		{own, "018F3B1C-9C3A-7C1E-8B56-0A4C5D9E2F10", nil},
		{own, "", map[string]string{"ce-id": own}},
		{"b462729b-851c-5cef-8920-7785d1783966", "", nil},
		{"c26451d4-73a6-573b-9412-fe817a72cbe6", "", shop},
		{"c26451d4-73a6-573b-9412-fe817a72cbe6", "A-17", shop},
	} {
		require.Equal(t, c.want, envelope.Identity(c.name, c.metadata, "EVENTS", 7))
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	require.Equal(t, "p", envelope.Key("id", map[string]string{"ce-partitionkey": "p", "ce-subject": "s"}))
	require.Equal(t, "s", envelope.Key("id", map[string]string{"ce-subject": "s"}))
	require.Equal(t, "id", envelope.Key("id", nil))
}
