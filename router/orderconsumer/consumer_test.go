package orderconsumer_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/router/orderconsumer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice = "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98"
)

// inbox notes each event that reaches it, and what its effect did. It is also the transaction.
type inbox struct {
	command.Tx

	events   []envelope.Envelope
	recorded []order.Customer
	deleted  []uuid.UUID
}

func (in *inbox) Apply(ctx context.Context, e envelope.Envelope, effect func(context.Context, command.Tx, bool) error) error {
	in.events = append(in.events, e)
	return effect(ctx, in, false)
}

func (in *inbox) ApplyInSteps(
	ctx context.Context, e envelope.Envelope, step func(context.Context, command.Tx, bool) (bool, error),
) error {
	in.events = append(in.events, e)
	_, err := step(ctx, in, false)
	return err
}

func (in *inbox) RecordCustomer(_ context.Context, c order.Customer, _ time.Time) error {
	in.recorded = append(in.recorded, c)
	return nil
}

func (in *inbox) ForgetCustomer(_ context.Context, id uuid.UUID, _ time.Time) error {
	in.deleted = append(in.deleted, id)
	return nil
}

func (in *inbox) EraseTexts(context.Context, uuid.UUID, int, time.Time) (int, error) { return 0, nil }

func (in *inbox) PlacedBy(context.Context, uuid.UUID, int) ([]uuid.UUID, error) { return nil, nil }

func (in *inbox) ForgetAnswers(context.Context, uuid.UUID, int) (int, error) { return 0, nil }

func setup() (*inbox, *orderconsumer.Consumer) {
	in := &inbox{}
	return in, orderconsumer.New(orderconsumer.Handlers{
		RecordCustomer: command.NewRecordCustomerHandler(in),
		ForgetCustomer: command.NewForgetCustomerHandler(in, func() time.Time { return begin }),
		PassOver:       command.NewPassOverHandler(in),
	})
}

// arrived is a message of the user service about alice; what is given replaces its metadata, and an empty value takes it away.
func arrived(t *testing.T, eventType, payload string, replaced map[string]string) *message.Message {
	t.Helper()
	id := uuid.NewString()
	msg := message.NewMessage(id, []byte(payload))
	msg.Metadata = envelope.Envelope{
		ID: id, Type: eventType, Source: contract.SourceUser, Key: alice, Sequence: 7, Time: begin, CorrelationID: "corr",
	}.Metadata()
	maps.Copy(msg.Metadata, replaced)
	msg.SetContext(delivery.With(t.Context(), &delivery.Delivery{Subject: envelope.Topic(eventType), Count: 1}))
	return msg
}

const aboutAlice = `{"id":"0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98","role":"user","version":3,"updated_at":"2026-03-01T12:00:00Z","new":1}`

func TestUserEventsBecomeCommands(t *testing.T) {
	t.Parallel()
	customer := []order.Customer{{UserID: uuid.MustParse(alice), Role: "user", Version: 3}}
	for _, c := range []struct {
		eventType string
		recorded  []order.Customer
		deleted   []uuid.UUID
	}{
		{contract.TypeUserCreated, customer, nil},
		{contract.TypeUserUpdated, customer, nil},
		{contract.TypeUserDeleted, nil, []uuid.UUID{uuid.MustParse(alice)}},
		{"user.photographed.v1", nil, nil},
	} {
		in, consumer := setup()
		msg := arrived(t, c.eventType, aboutAlice, nil)
		require.NoError(t, consumer.Handle(msg), c.eventType)
		require.Equal(t, c.recorded, in.recorded, c.eventType)
		require.Equal(t, c.deleted, in.deleted, c.eventType)
		require.Equal(t, []envelope.Envelope{envelope.Parse(msg.UUID, msg.Metadata, msg.Payload)}, in.events, "the inbox sees each")
	}
}

func TestTypeComesFromTheSubjectWhereItIsMissing(t *testing.T) {
	t.Parallel()
	in, consumer := setup()
	require.NoError(t, consumer.Handle(arrived(t, contract.TypeUserDeleted, aboutAlice, map[string]string{envelope.MetaType: ""})))
	require.Len(t, in.deleted, 1)
	require.Equal(t, contract.TypeUserDeleted, in.events[0].Type)
}

func TestPayloadThatBreaksItsTypesPromiseIsUndecodable(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{contract.TypeUserCreated, contract.TypeUserUpdated, contract.TypeUserDeleted} {
		for name, payload := range map[string]string{
			"no JSON": "{", "empty": "", "null": "null", "another shape": `[]`, "another type": `{"id":1}`, "no id": `{"version":1}`,
			"an id that is none": `{"id":"alice"}`, "about another user": `{"id":"0195a1f0-7c1d-7e64-9a43-ffffffffffff"}`,
		} {
			in, consumer := setup()
			err := consumer.Handle(arrived(t, eventType, payload, nil))
			require.ErrorIs(t, err, envelope.ErrUndecodable, "%s: %s", eventType, name)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.Empty(t, in.events, "nothing is remembered of it")
		}
	}
	in, consumer := setup()
	msg := arrived(t, contract.TypeUserCreated, aboutAlice, map[string]string{envelope.MetaPartitionKey: "", envelope.MetaSubject: ""})
	require.ErrorIs(t, consumer.Handle(msg), envelope.ErrUndecodable, "without a key it has no place in an order")
	require.Empty(t, in.events)
}

func TestPayloadOfATypeThatIsNotNeededIsNotRead(t *testing.T) {
	t.Parallel()
	in, consumer := setup()
	require.NoError(t, consumer.Handle(arrived(t, "user.created.v2", "{", nil)))
	require.Len(t, in.events, 1)
}

func TestEventThatClaimsOtherThanItsSubjectChangesNothing(t *testing.T) {
	t.Parallel()
	for name, claim := range map[string]map[string]string{
		"type": {envelope.MetaType: contract.TypeUserDeleted}, "source": {envelope.MetaSource: contract.SourceOrder},
	} {
		for _, requeued := range []bool{false, true} {
			in, consumer := setup()
			msg := arrived(t, contract.TypeUserUpdated, aboutAlice, claim)
			if requeued {
				msg.Metadata[envelope.MetaPoisonSubject] = envelope.Topic(contract.TypeUserUpdated)
				delivery.From(msg.Context()).Subject = envelope.RequeueTopic(orderconsumer.Customers)
			}
			require.ErrorIs(t, consumer.Handle(msg), envelope.ErrUndecodable, name)
			require.Empty(t, in.events, "%s: nothing is remembered of it", name)
		}
	}
}
