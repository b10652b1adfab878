package tunnel

import (
	"cmp"
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
	Name            string // for logs and metrics; empty: the role
	Role            Role
	Accept          Address   // where to listen
	Connect         []Address // targets, tried in order at every connection, but for those that did not answer in the last minute: they come last
	ServerName      string    // client: the name that the server must prove; empty: the host of the target
	UnsafePlaintext bool      // allow the plain end beyond loopback
	Endpoint        *certs.Endpoint
	Timeouts        Timeouts
	Limits          Limits
	Logger          *zap.Logger // must not block: connections wait for their lines; nil: nothing is logged
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
	Handshakes          int // connections that are not verified yet; default 1000; of a server never more than a quarter of the files that the process may open
	HandshakesPerSource int // server: of these, from one IPv4 address or one IPv6 /64; default 250, or Handshakes if that is less
}

// DefaultTimeouts are the timeouts that zero durations stand for.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Handshake: 10 * time.Second,
		Dial:      10 * time.Second,
		HalfClose: 5 * time.Minute,
		Idle:      0,
		Drain:     30 * time.Second,
	}
}

// DefaultLimits are the limits that zero limits stand for.
func DefaultLimits() Limits {
	return Limits{Connections: 10000, Handshakes: 1000, HandshakesPerSource: 250}
}

// ConfigError is a setting with which a tunnel cannot work on this host.
type ConfigError struct {
	Setting string // its name, the same on the command line and in the file: accept, connect, allow-host
	Reason  string // what is wrong, one clause
	Cure    string // what to do about it, one clause
	Err     error  // the cause; may be nil
}

// Error names the setting and what is wrong with it.
func (e *ConfigError) Error() string { return e.Setting + ": " + e.Reason }

// Unwrap gives the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Hint is the cure, for the hint line of the command line.
func (e *ConfigError) Hint() string { return e.Cure }

// withDefaults fills in what the zero values stand for.
func (c Config) withDefaults() Config {
	timeouts, limits := DefaultTimeouts(), DefaultLimits()
	c.Name = cmp.Or(c.Name, string(c.Role))
	c.Timeouts.Handshake = cmp.Or(c.Timeouts.Handshake, timeouts.Handshake)
	c.Timeouts.Dial = cmp.Or(c.Timeouts.Dial, timeouts.Dial)
	c.Timeouts.HalfClose = cmp.Or(c.Timeouts.HalfClose, timeouts.HalfClose)
	c.Timeouts.Idle = cmp.Or(c.Timeouts.Idle, timeouts.Idle)
	c.Timeouts.Drain = cmp.Or(c.Timeouts.Drain, timeouts.Drain)
	c.Limits.Connections = cmp.Or(c.Limits.Connections, limits.Connections)
	c.Limits.Handshakes = cmp.Or(c.Limits.Handshakes, limits.Handshakes)
	c.Limits.HandshakesPerSource = cmp.Or(c.Limits.HandshakesPerSource, limits.HandshakesPerSource)
	if c.Limits.HandshakesPerSource == limits.HandshakesPerSource {
		c.Limits.HandshakesPerSource = min(c.Limits.HandshakesPerSource, c.Limits.Handshakes)
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}
