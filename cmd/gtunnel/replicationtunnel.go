package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/tunnel"
)

// startInnerTunnel runs a client tunnel inside this process until stop, for
// what is done before the service is set up. Its warnings and errors go to the
// standard error.
func (m *Main) startInnerTunnel(ctx context.Context, c TunnelConfig) (stop func(), err error) {
	config := newConfig("setup")
	config.LogLevel = zapcore.WarnLevel
	c.Timeouts.Drain = time.Second
	c.complete()
	config.Tunnels = []TunnelConfig{c}
	logger := newLogger(config, m.log, m.Getenv)
	p, err := newProcess(config, logger)
	if err != nil {
		return nil, err
	}
	if err := p.listen(ctx); err != nil {
		return nil, &hintedError{err, "if gtunnel client runs there already, leave --connect out: its tunnel is used"}
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // what ctx ends still speaks to the master
	ended := make(chan error, 1)
	go func() { ended <- p.tunnels[0].Serve(serving) }()
	return func() {
		end()
		if err := <-ended; err != nil {
			fmt.Fprintf(m.Stderr, "gtunnel: the tunnel of this command: %v\n", err)
		}
	}, nil
}

// innerTunnelConfig is the configuration of the tunnel of --connect.
func innerTunnelConfig() TunnelConfig {
	return newTunnelConfig("setup", tunnel.Client)
}
