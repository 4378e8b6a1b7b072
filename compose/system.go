package compose

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/asyncapi"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/process"
)

// Injectors build the services, by name. They are generated at the root from the providers of this package.
type Injectors map[string]func(ctx context.Context, p Platform) (*process.Service, func(), error)

// Build builds the services that the configuration names, and what they share within the process. The services share nothing but the
// process: each has a database, connections and a router of its own.
func (i Injectors) Build(ctx context.Context, p process.Platform) (process.System, error) {
	brokers, err := startBrokers(p.Config, p.Log)
	if err != nil {
		return process.System{}, err
	}
	s := process.System{Close: brokers.close}
	for _, d := range services {
		if !p.Config.Runs(d.Name) {
			continue
		}
		service, closeService, err := i[d.Name](ctx, Platform{p, brokers})
		if err != nil {
			s.Close()
			return process.System{}, fmt.Errorf("build the %s service: %w", d.Name, err)
		}
		closeRest := s.Close
		s.Close = func() { closeService(); closeRest() }
		s.Services = append(s.Services, service)
		if service.Verifier != nil {
			s.Verifier = service.Verifier
		}
	}
	if s.Verifier == nil {
		s.Verifier = remoteVerifier(p.Config.JWKSURL, s.Services[0])
	}
	return s, nil
}

// Events is the document of the events that the services publish, as AsyncAPI.
func Events(version string) ([]byte, error) {
	return asyncapi.Document(asyncapi.Described{Version: version, Events: publications(), Consumers: poisoners()})
}

// remoteVerifier verifies with the keys that the user service publishes at url. Until s has fetched them once it is not ready: it could
// answer nobody.
func remoteVerifier(url string, s *process.Service) *jwks.Verifier {
	keys := jwks.NewRemote(url, &http.Client{Timeout: 5 * time.Second}, time.Now)
	s.EarlyWorkers = append(s.EarlyWorkers, lifecycle.Worker{
		Name: "public keys", Run: func(ctx context.Context) error { return keys.Run(ctx, s.Logger.With("service", s.Name)) },
	})
	s.Checks = append(s.Checks,
		rest.Check{Name: s.Name + "_keys", Need: rest.Required, Probe: keys.Ready},
		rest.Check{Name: s.Name + "_keys_fresh", Need: rest.Degrades, Probe: keys.Fresh})
	return jwks.NewVerifier(keys, time.Now, jwks.WithLogger(s.Logger))
}
