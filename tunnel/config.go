package tunnel

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
	Name   string // for logs and metrics; empty: the role
	Role   Role
	Accept Address // where to listen

	// Connect are the targets, tried in order at every connection, but for
	// those that did not answer in the last minute: they come last.
	Connect []Address

	ServerName      string // client: the name that the server must prove; empty: the host of the target
	UnsafePlaintext bool   // allow the plain end beyond loopback

	// AllowFrom are the networks from which connections are taken; empty: from anywhere. It
	// is looked at before anything is read, and again in open sessions after an Update.
	AllowFrom []netip.Prefix

	// CongestionControl is that of the TCP connections to the peer, as tcp(7) names
	// it, such as bbr; empty: the system's. It decides how much of what this end
	// sends waits in the queues of a line: see gtunnel help performance.
	CongestionControl string

	// SharePort lets tunnels of one user listen at one port side by side: one at every
	// address, such as :3307, and one at a single address, such as 127.0.0.1:3307,
	// which gets what comes to that. In whatever order they are bound, all must share.
	SharePort bool

	// ProxyProtocol has a server tell its target where a connection comes from, by the
	// PROXY protocol, version 2. MariaDB takes that from the networks that it has in
	// proxy_protocol_networks; MySQL does not know it.
	ProxyProtocol bool

	// AcceptProxyFrom are the networks of the proxies in front of a server. What comes from
	// there must begin with a header of the PROXY protocol, which is believed.
	AcceptProxyFrom []netip.Prefix

	Endpoint *certs.Endpoint
	Timeouts Timeouts
	Limits   Limits
	Logger   *zap.Logger // must not block: connections wait for their lines; nil: nothing is logged
}

// Timeouts bound the waits of a connection's life.
type Timeouts struct {
	Handshake time.Duration // TLS handshake and verification; default 10 s
	Dial      time.Duration // one attempt at one target, name resolution included; default 10 s
	HalfClose time.Duration // silence after one side has ended before the other is ended too; default 5 min
	Idle      time.Duration // silence both ways before a connection is closed; default 0, never
	Drain     time.Duration // how long open connections may go on after a stop; default 5 s

	// SessionAge is how old a session may become, whatever it does, until both its sides are
	// reset; default 0, any age.
	SessionAge time.Duration
}

// Limits bound what peers can take.
type Limits struct {
	Connections int // verified connections at once; default 5000

	// ConnectionsPerPeer bounds, at a server, those of one peer, by the DN that it has proved;
	// default 2500, or Connections if that is less.
	ConnectionsPerPeer int

	// Handshakes bounds the connections that are not verified yet; default
	// 1000; of a server never more than a quarter of the files that the process
	// may open.
	Handshakes int

	// HandshakesPerSource bounds, at a server, those of one IPv4 address or one
	// IPv6 /64; default 250, or Handshakes if that is less.
	HandshakesPerSource int
}

// DefaultTimeouts are the timeouts that zero durations stand for.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Handshake: 10 * time.Second,
		Dial:      10 * time.Second,
		HalfClose: 5 * time.Minute,
		Idle:      0,
		Drain:     5 * time.Second,

		SessionAge: 0,
	}
}

// DefaultLimits are the limits that zero limits stand for.
func DefaultLimits() Limits {
	return Limits{Connections: 5000, ConnectionsPerPeer: 2500, Handshakes: 1000, HandshakesPerSource: 250}
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
	c.Timeouts.SessionAge = cmp.Or(c.Timeouts.SessionAge, timeouts.SessionAge)
	c.Limits.Connections = cmp.Or(c.Limits.Connections, limits.Connections)
	c.Limits.ConnectionsPerPeer = cmp.Or(c.Limits.ConnectionsPerPeer, limits.ConnectionsPerPeer)
	if c.Limits.ConnectionsPerPeer == limits.ConnectionsPerPeer {
		c.Limits.ConnectionsPerPeer = min(c.Limits.ConnectionsPerPeer, c.Limits.Connections)
	}
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

// Check finds every setting with which the tunnel cannot or must not work, as
// far as that can be told without the Endpoint and without the network.
func (c Config) Check() []*ConfigError {
	return slices.Concat(c.checkRole(), c.checkAccept(), c.checkConnect(), c.checkServerName(), c.checkPlainEnd(),
		c.checkAllowFrom(), c.checkProxy(), c.checkCongestionControl(), c.checkNumbers(), c.checkShares())
}

// check finds the first setting with which the tunnel cannot or must not
// work.
func (c Config) check() error {
	if found := append(c.Check(), c.checkEndpoint()...); len(found) > 0 {
		return found[0]
	}
	return nil
}

func (c Config) checkRole() []*ConfigError {
	if c.Role != Server && c.Role != Client {
		return []*ConfigError{{
			Setting: "role", Reason: fmt.Sprintf("%q is no role", string(c.Role)),
			Cure: "write server or client",
		}}
	}
	return nil
}

func (c Config) checkAccept() []*ConfigError {
	if c.Accept == (Address{}) {
		return []*ConfigError{{Setting: "accept", Reason: "no address to listen at", Cure: addressForms}}
	}
	return nil
}

func (c Config) checkConnect() (found []*ConfigError) {
	if len(c.Connect) == 0 {
		return []*ConfigError{{Setting: "connect", Reason: "no target to connect to", Cure: addressForms}}
	}
	for i, target := range c.Connect {
		if slices.Contains(c.Connect[:i], target) {
			found = append(found, &ConfigError{
				Setting: "connect", Reason: fmt.Sprintf("%s is listed twice", target),
				Cure: "list each target once, in the order to try them",
			})
			continue
		}
		if target.Network == "tcp" && (target.Port == "0" || target.Port == "") {
			found = append(found, &ConfigError{
				Setting: "connect",
				Reason:  fmt.Sprintf("%s: nothing can be reached at port 0", target),
				Cure:    "write the port that the target listens on",
			})
		}
		if target.Reaches(c.Accept) {
			found = append(found, &ConfigError{
				Setting: "connect",
				Reason:  fmt.Sprintf("%s is where this tunnel itself listens: it would connect to itself for ever", target),
				Cure:    "write the address of the target, or give the tunnel another address to listen at",
			})
		}
	}
	return found
}

func (c Config) checkServerName() (found []*ConfigError) {
	if c.Role == Server && c.ServerName != "" {
		return []*ConfigError{{
			Setting: "server-name", Reason: "only a client checks the name of a server",
			Cure: "remove server-name; to say which clients may connect, set allow-host or allow-dn",
		}}
	}
	if c.ServerName != "" {
		return checkProvable(c.ServerName)
	}
	for _, target := range c.Connect {
		if c.Role == Client && target.Network == "unix" {
			found = append(found, &ConfigError{
				Setting: "server-name",
				Reason:  fmt.Sprintf("the target %s has no host name that the server could prove", target),
				Cure:    "set server-name to the name in the server's certificate",
			})
		}
	}
	return found
}

// checkProvable refuses what no certificate can prove: all but a host name and
// an IP address.
func checkProvable(name string) []*ConfigError {
	if checkHost(name) == "" {
		return nil
	}
	reason := fmt.Sprintf("%q is neither a host name nor an IP address", name)
	cure := "write the name in the server's certificate, such as server1.domain.one, or its IP address"
	_, rest, isURL := strings.Cut(name, "://")
	if isURL {
		name, _, _ = strings.Cut(rest, "/")
	}
	host, _, hasPort := strings.Cut(name, ":")
	if bracketed, ok := strings.CutPrefix(name, "["); ok {
		host, _, hasPort = strings.Cut(bracketed, "]")
	}
	switch {
	case strings.HasPrefix(host, "*"):
		cure = "write the whole name of the one server: the * may stand in its certificate, not here"
	case host == "" || checkHost(host) != "":
	case isURL:
		cure = "write the host name alone: " + host
	case hasPort:
		cure = "leave the port away: " + host
	}
	return []*ConfigError{{Setting: "server-name", Reason: reason, Cure: cure}}
}

// checkPlainEnd keeps what TLS protects from leaving the host in clear text
// on its last step.
func (c Config) checkPlainEnd() (found []*ConfigError) {
	if c.UnsafePlaintext {
		return nil
	}
	if c.Role == Client && c.Accept != (Address{}) && !c.Accept.IsLoopback() {
		reason := "other hosts could send clear text to " + c.Accept.String()
		if c.Accept.Host == "" {
			reason = c.Accept.String() + " listens on every address of this host, and other hosts could send clear text to it"
		}
		return []*ConfigError{{
			Setting: "accept", Reason: reason,
			Cure: fmt.Sprintf("write 127.0.0.1:%s, or set unsafe-plaintext if the network between is yours alone",
				c.Accept.Port),
		}}
	}
	for _, target := range c.Connect {
		if c.Role == Server && !target.IsLoopback() && target.Host != "" {
			found = append(found, &ConfigError{
				Setting: "connect",
				Reason: fmt.Sprintf("%s is not on loopback, so what leaves the tunnel would cross the network in clear text",
					target),
				Cure: "run the server on the host of the target and connect to 127.0.0.1, " +
					"or set unsafe-plaintext if the network between is yours alone",
			})
		}
	}
	return found
}

func (c Config) checkNumbers() (found []*ConfigError) {
	for _, n := range []struct {
		setting string
		value   int64
	}{
		{setting: "handshake-timeout", value: int64(c.Timeouts.Handshake)},
		{setting: "dial-timeout", value: int64(c.Timeouts.Dial)},
		{setting: "half-close-timeout", value: int64(c.Timeouts.HalfClose)},
		{setting: "idle-timeout", value: int64(c.Timeouts.Idle)},
		{setting: "drain-timeout", value: int64(c.Timeouts.Drain)},
		{setting: "max-session-age", value: int64(c.Timeouts.SessionAge)},
		{setting: "max-connections", value: int64(c.Limits.Connections)},
		{setting: "max-connections-per-peer", value: int64(c.Limits.ConnectionsPerPeer)},
		{setting: "max-handshakes", value: int64(c.Limits.Handshakes)},
		{setting: "max-handshakes-per-source", value: int64(c.Limits.HandshakesPerSource)},
	} {
		if n.value < 0 {
			found = append(found, &ConfigError{
				Setting: n.setting, Reason: "it is negative",
				Cure: "remove it to have the default",
			})
		}
	}
	return found
}

// checkShares refuses limits of one source or peer above those of all; the
// presets follow the limits of all instead.
func (c Config) checkShares() (found []*ConfigError) {
	presets := DefaultLimits()
	for _, share := range []struct {
		setting, of, all string
		one, total       int
		preset           int
	}{
		{
			setting: "max-handshakes-per-source", of: "source", all: "max-handshakes",
			one: c.Limits.HandshakesPerSource, total: c.Limits.Handshakes, preset: presets.HandshakesPerSource,
		},
		{
			setting: "max-connections-per-peer", of: "peer", all: "max-connections",
			one: c.Limits.ConnectionsPerPeer, total: c.Limits.Connections, preset: presets.ConnectionsPerPeer,
		},
	} {
		if c.Role != Server || share.total <= 0 || share.one <= share.total || share.one == share.preset {
			continue
		}
		found = append(found, &ConfigError{
			Setting: share.setting,
			Reason:  fmt.Sprintf("%d from one %s are more than all, %d", share.one, share.of, share.total),
			Cure:    fmt.Sprintf("write less than %d, or raise %s", share.total, share.all),
		})
	}
	return found
}

func (c Config) checkEndpoint() (found []*ConfigError) {
	if c.Endpoint == nil || c.Endpoint.Store == nil {
		found = append(found, &ConfigError{
			Setting: "capath", Reason: "no CAs to judge the peer by",
			Cure: "set capath or cafile",
		})
	}
	if c.Endpoint == nil || c.Endpoint.Credential == nil {
		found = append(found, &ConfigError{
			Setting: "cert", Reason: "no certificate to prove this host with",
			Cure: "set cert and key",
		})
	}
	if c.Role == Server && (c.Endpoint == nil || c.Endpoint.Policy.Access == nil) {
		found = append(found, &ConfigError{
			Setting: "allow-host", Reason: "no rule says which clients may connect",
			Cure: "set allow-host or allow-dn, or allow-all for every host that a trusted CA vouches for",
		})
	}
	return found
}
