package compose

import (
	"errors"

	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/ports/gateway"
	"github.com/millrace/millrace/process"
)

// NewGateway returns the gateway before the services, wherever the configuration says that they listen.
func NewGateway(cfg config.Config, c *process.Console) (*gateway.Gateway, error) {
	if cfg.Upstreams == nil {
		return nil, errors.New("MILLRACE_UPSTREAMS: is needed for the gateway: " +
			"user=http://HOST:PORT,order=http://HOST:PORT,event=http://HOST:PORT")
	}
	g := gateway.Config{Logger: c.Log}
	for _, d := range services {
		g.Upstreams = append(g.Upstreams, gateway.Upstream{Name: d.Name, URL: cfg.Upstreams[d.Name], Paths: d.Paths})
	}
	return gateway.New(g)
}
