package compose

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/adapters/memory"
	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/lifecycle"
)

// The times of a consumer, whatever the broker. A delivery's attempts must fit into handlingLimit, and the whole retry schedule into
// gapTimeout: router.New refuses what does not.
const (
	ackWait       = 10 * time.Second // a delivery unheard of for so long goes to another replica
	handlingLimit = time.Minute      // how long heartbeats keep a delivery with its handler
	gapTimeout    = 10 * time.Minute // how long a missing event is waited for, before the consumer's policy decides
	drainTimeout  = 3 * time.Second  // how long a drain waits for handlers
)

// brokers gives each service its connection, and runs what is embedded.
type brokers struct {
	cfg      config.Config
	log      *slog.Logger
	embedded *natsjs.Embedded
	memory   *memory.Broker
}

// startBrokers starts the embedded server where one is wanted.
func startBrokers(cfg config.Config, log *slog.Logger) (*brokers, error) {
	b := &brokers{cfg: cfg, log: log}
	switch cfg.Broker {
	case config.BrokerMemory:
		b.memory = memory.New(memory.Config{})
	case config.BrokerEmbedded:
		var err error
		b.embedded, err = natsjs.StartEmbedded(natsjs.EmbeddedConfig{
			Dir: filepath.Join(cfg.DataDir, "nats"), Logger: log,
			Listen: cfg.EmbeddedNATS.Addr, Password: cfg.EmbeddedNATS.Password, Users: cfg.EmbeddedNATS.Users,
		})
		if err != nil {
			return nil, err
		}
	case config.BrokerNATS:
	}
	return b, nil
}

// connect gives a service its own connection.
func (b *brokers) connect(ctx context.Context, service string) (lifecycle.Broker, error) {
	cfg := natsjs.Config{URL: b.cfg.BrokerURL, Name: "millrace-" + service, Logger: b.log.With("service", service)}
	switch b.cfg.Broker {
	case config.BrokerMemory:
		return memoryBroker{b.memory}, nil
	case config.BrokerEmbedded:
		conn, err := b.embedded.Connect(ctx, cfg)
		if err != nil {
			return nil, fmt.Errorf("connect %s to the embedded broker: %w", service, err)
		}
		return newNATSBroker(conn, cfg.Logger)
	default:
		conn, err := natsjs.Connect(ctx, cfg)
		if err != nil {
			return nil, fmt.Errorf("connect %s to the broker: %w", service, err)
		}
		return newNATSBroker(conn, cfg.Logger)
	}
}

// close stops what is embedded, after the services have closed their connections.
func (b *brokers) close() {
	if b.memory != nil {
		_ = b.memory.Close() // never fails
	}
	if b.embedded != nil {
		b.embedded.Shutdown()
	}
}
