package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/millrace/millrace/config"
)

// ServeHandler serves h on the address of the API until ctx ends, and then finishes the requests that run.
func ServeHandler(ctx context.Context, cfg config.Config, c *Console, h http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("MILLRACE_HTTP_ADDR: %w; choose another address, or stop what is using it", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	_, _ = fmt.Fprintf(c.Out, "The gateway is running.\n  API            http://%s\n  documentation  http://%s/docs\n",
		listener.Addr(), listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err = server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		c.Log.WarnContext(ctx, "shutdown deadline exceeded", "error", server.Close())
		err = nil
	}
	<-served
	return err
}
