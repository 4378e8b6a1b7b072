package router

import (
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// trace continues the trace of whoever published the message in a span of this consumer. Without a configured tracer provider the
// span does nothing, and the context still carries the trace on.
func (c *consumer) trace(next message.HandlerFunc) message.HandlerFunc {
	tracer := otel.Tracer("github.com/millrace/millrace/router")
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx := propagation.TraceContext{}.Extract(msg.Context(), propagation.MapCarrier(msg.Metadata))
		ctx, span := tracer.Start(ctx, "process "+c.name,
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(
				attribute.String("messaging.consumer.group.name", c.name),
				attribute.String("messaging.destination.name", stateOf(msg).subject),
				attribute.String("messaging.message.id", msg.UUID),
			))
		defer span.End()
		msg.SetContext(ctx)
		produced, err := next(msg)
		o := stateOf(msg).outcome
		span.SetAttributes(attribute.String("millrace.outcome", string(o)))
		if o == failed || o == poisoned {
			span.SetStatus(codes.Error, string(o))
		}
		return produced, err
	}
}
