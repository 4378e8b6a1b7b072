package process

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/rest"
)

// Service is one service of the binary: what package lifecycle runs, and what it brings to the HTTP server of the process.
type Service struct {
	lifecycle.Config

	Routes   func(api huma.API)
	Edge     rest.Service  // limits and access of its routes
	Checks   []rest.Check  // of readiness, beside those of package lifecycle
	Verifier rest.Verifier // of access tokens, for all services of the process; nil where this one issues none

	running *lifecycle.Service // nil until the process has opened
}

// open checks the service and subscribes its consumers.
func (s *Service) open() (err error) {
	s.running, err = lifecycle.New(s.Config)
	return err
}

// checks returns what readiness depends on.
func (s *Service) checks() (checks []rest.Check) {
	for _, c := range s.running.Checks() {
		need := rest.Degrades
		if c.Required {
			need = rest.Required
		}
		checks = append(checks, rest.Check{Name: c.Name, Need: need, Probe: c.Probe})
	}
	return append(checks, s.Checks...)
}
