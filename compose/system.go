package compose

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/process"
)

// Injectors build the services. They are generated at the root from the providers of this package.
type Injectors struct {
	User  func(ctx context.Context, p Platform) (UserService, func(), error)
	Order func(ctx context.Context, p Platform) (OrderService, func(), error)
	Event func(ctx context.Context, p Platform) (EventService, func(), error)
}

// Build builds the services that the configuration names, and what they share within the process. The services share nothing but the
// process: each has a database, connections and a router of its own.
func (i Injectors) Build(ctx context.Context, p process.Platform) (process.System, error) {
	brokers, err := startBrokers(p.Config, p.Log)
	if err != nil {
		return process.System{}, err
	}
	s := process.System{Close: brokers.close}
	var keys jwks.KeySource
	for _, name := range p.Config.Services {
		service, closeService, err := i.build(ctx, name, Platform{p, brokers}, &keys)
		if err != nil {
			s.Close()
			return process.System{}, fmt.Errorf("build the %s service: %w", name, err)
		}
		s.Services = append(s.Services, service)
		closeRest := s.Close
		s.Close = func() { closeService(); closeRest() }
	}
	s.Verifier = jwks.NewVerifier(keys, time.Now)
	if keys == nil {
		s.Verifier = remoteVerifier(p.Config.JWKSURL, s.Services[0])
	}
	return s, nil
}

// build builds one service. Where it is the user service, keys are those that it signs with.
func (i Injectors) build(ctx context.Context, name string, p Platform, keys *jwks.KeySource) (*process.Service, func(), error) {
	switch name {
	case config.ServiceUser:
		s, closeService, err := i.User(ctx, p)
		if err == nil {
			*keys = s.keys
		}
		return s.Service, closeService, err
	case config.ServiceOrder:
		s, closeService, err := i.Order(ctx, p)
		return s.Service, closeService, err
	default:
		s, closeService, err := i.Event(ctx, p)
		return s.Service, closeService, err
	}
}

// remoteVerifier verifies with the keys that the user service publishes at url. Until s has fetched them once it is not ready: it could
// answer nobody.
func remoteVerifier(url string, s *process.Service) *jwks.Verifier {
	keys := jwks.NewRemote(url, &http.Client{Timeout: 5 * time.Second}, time.Now)
	s.Early = append(s.Early, func(ctx context.Context) error { return keys.Run(ctx, s.Log) })
	s.Checks = append(s.Checks,
		rest.Check{Name: s.Name + "_keys", Need: rest.Required, Probe: keys.Ready},
		rest.Check{Name: s.Name + "_keys_fresh", Need: rest.Degrades, Probe: keys.Fresh})
	return jwks.NewVerifier(keys, time.Now)
}
