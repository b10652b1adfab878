package tunnel

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
)

// Role is which end of the TLS connection a tunnel is.
type Role string

// The roles of a tunnel.
const (
	Server Role = "server" // accepts TLS, connects to plain targets
	Client Role = "client" // accepts plain connections, connects to a server by TLS
)

// Config describes one tunnel. Zero durations and limits mean the defaults
// of DefaultTimeouts and DefaultLimits.
type Config struct {
	Name            string // for logs and metrics
	Role            Role
	Accept          Address   // where to listen
	Connect         []Address // targets, tried in order at every connection
	ServerName      string    // client: the name that the server must prove; empty: the host of the target
	UnsafePlaintext bool      // allow the plain end beyond loopback
	Endpoint        *certs.Endpoint
	Timeouts        Timeouts
	Limits          Limits
	Logger          *zap.Logger
}

// Timeouts bound the waits of a connection's life.
type Timeouts struct {
	Handshake time.Duration // TLS handshake and verification; default 10 s
	Dial      time.Duration // one attempt at one target, name resolution included; default 10 s
	HalfClose time.Duration // silence after one side has ended before the other is ended too; default 5 min
	Idle      time.Duration // silence both ways before a connection is closed; default 0, never
	Drain     time.Duration // how long open connections may go on after a stop; default 30 s
}

// Limits bound what peers can take.
type Limits struct {
	Connections         int // verified connections at once; default 10000
	Handshakes          int // handshakes in progress; default 500
	HandshakesPerSource int // of these, from one IP address; default 50
}

// Tunnel is one listening tunnel.
type Tunnel struct{}

// New checks the configuration. The error names the setting that is wrong.
func New(config Config) (*Tunnel, error) { return nil, errors.ErrUnsupported }

// Listen binds the accept address. It must be called once, before Serve.
func (t *Tunnel) Listen(ctx context.Context) error { return errors.ErrUnsupported }

// Addr is the address that Listen bound.
func (t *Tunnel) Addr() net.Addr { return nil }

// Serve accepts connections until ctx ends, then stops accepting, lets open
// connections go on for Timeouts.Drain, closes them and returns nil. It
// returns early with an error if the listener breaks.
func (t *Tunnel) Serve(ctx context.Context) error { return errors.ErrUnsupported }

// Close ends the listener and every connection at once.
func (t *Tunnel) Close() error { return errors.ErrUnsupported }
