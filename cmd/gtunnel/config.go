package main

import (
	"crypto/tls"
	"encoding"
	"fmt"
	"net"
	"slices"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Where grid sites keep a host's certificate, its key and the CAs.
const (
	defaultCert   = "/etc/grid-security/hostcert.pem"
	defaultKey    = "/etc/grid-security/hostkey.pem"
	defaultCApath = "/etc/grid-security/certificates"
)

// The addresses of the two ends of MySQL replication.
const (
	defaultServerAccept  = ":3307"
	defaultServerConnect = "127.0.0.1:3306"
	defaultClientAccept  = "127.0.0.1:3307"
)

// Config is all that a process is told, by flags or by a file.
type Config struct {
	LogLevel       zapcore.Level
	LogFormat      string         // "console" or "json"
	Admin          tunnel.Address // zero: none
	ReloadInterval time.Duration  // 0: only SIGHUP reloads
	Tunnels        []TunnelConfig // in the order of the file

	origin origin
}

// TunnelConfig is one tunnel with everything that it does not share.
type TunnelConfig struct {
	Name            string
	Role            tunnel.Role
	Accept          tunnel.Address
	Connect         []tunnel.Address
	ServerName      string
	UnsafePlaintext bool
	AllowHost       []string
	AllowDN         []string
	AllowAll        bool
	Cert, Key       string
	CApath, CAfile  string
	CRL             certs.CRLMode
	CRLGrace        time.Duration
	Namespaces      certs.NamespacesMode
	EKU             certs.EKURule
	HostMode        certs.HostMode
	MinTLS          tlsVersion
	MaxDepth        int
	Timeouts        tunnel.Timeouts
	Limits          tunnel.Limits
}

// newConfig is the configuration of a process that is told nothing.
func newConfig() Config {
	return Config{LogLevel: zapcore.InfoLevel, LogFormat: "console", ReloadInterval: time.Minute}
}

// newTunnelConfig is the configuration of a tunnel that is told nothing but,
// perhaps, its role.
func newTunnelConfig(name string, role tunnel.Role) TunnelConfig {
	return TunnelConfig{
		Name:     name,
		Role:     role,
		Cert:     defaultCert,
		Key:      defaultKey,
		CApath:   defaultCApath,
		CRLGrace: 24 * time.Hour,
		MinTLS:   tls.VersionTLS12,
		MaxDepth: 10,
		Timeouts: tunnel.DefaultTimeouts(),
		Limits:   tunnel.DefaultLimits(),
	}
}

// settings lists what the flags and the file set for the process.
func (c *Config) settings() []setting {
	return []setting{
		{
			name: "reload-interval", group: groupCertificates, target: &c.ReloadInterval, zero: true,
			arg: "TIME", usage: "how often to look for new files; 0s: at SIGHUP",
		},
		{
			name: "log-level", group: groupLogging, target: &c.LogLevel,
			values: []string{"debug", "info", "warn", "error"},
			arg:    "LEVEL", usage: "debug, info, warn or error",
		},
		{
			name: "log-format", group: groupLogging, target: &c.LogFormat,
			values: []string{"console", "json"},
			arg:    "FORMAT", usage: "console or json",
		},
		{
			name: "admin", group: groupLogging, target: &c.Admin, preset: "off",
			arg: "ADDRESS", usage: "for gtunnel status: unix:/path or loopback",
		},
	}
}

// settings lists what the flags and the file set for a tunnel.
func (c *TunnelConfig) settings() []setting {
	accept, connect := defaultServerAccept, defaultServerConnect
	if c.Role == tunnel.Client {
		accept, connect = defaultClientAccept, "none"
	}
	return []setting{
		{
			name: "accept", group: groupTunnel, target: &c.Accept, preset: accept,
			arg: "ADDRESS", usage: "where to listen",
		},
		{
			name: "connect", group: groupTunnel, target: &c.Connect, preset: connect,
			arg: "ADDRESS", usage: "the target; repeat it for failover",
		},
		{
			name: "server-name", group: groupTunnel, target: &c.ServerName, role: tunnel.Client,
			arg: "NAME", usage: "what the server must prove, if not the host in --connect",
		},
		{
			name: "unsafe-plaintext", group: groupTunnel, target: &c.UnsafePlaintext,
			usage: "let the plain end reach beyond this host",
		},

		{
			name: "allow-host", group: groupAccess, target: &c.AllowHost, role: tunnel.Server,
			arg: "NAME", usage: "a host that may connect; repeatable",
		},
		{
			name: "allow-dn", group: groupAccess, target: &c.AllowDN, role: tunnel.Server,
			arg: "DN", usage: "its DN instead, such as '/DC=two/O=hosts/*'; repeatable",
		},
		{
			name: "allow-all", group: groupAccess, target: &c.AllowAll, role: tunnel.Server,
			usage: "every host with a certificate of a trusted CA",
		},

		{
			name: "cert", group: groupCertificates, target: &c.Cert, file: true,
			arg: "FILE", usage: "host certificate",
		},
		{
			name: "key", group: groupCertificates, target: &c.Key, file: true,
			arg: "FILE", usage: "its key",
		},
		{
			name: "capath", group: groupCertificates, target: &c.CApath, file: true,
			arg: "DIR", usage: "trusted CAs",
		},
		{
			name: "cafile", group: groupCertificates, target: &c.CAfile, file: true,
			arg: "FILE", usage: "trusted CAs too; without --capath: only these",
		},
		{
			name: "crl", group: groupCertificates, target: &c.CRL, values: words[certs.CRLMode](),
			arg: "MODE", usage: "CRLs: if-valid, require or ignore",
		},
		{
			name: "crl-grace", group: groupCertificates, target: &c.CRLGrace, zero: true,
			arg: "TIME", usage: "a stale CRL ends open connections after",
		},
		{
			name: "namespaces", group: groupCertificates, target: &c.Namespaces, values: words[certs.NamespacesMode](),
			arg: "MODE", usage: "policies; see README",
		},
		{
			name: "eku", group: groupCertificates, target: &c.EKU,
			values: []string{"host", "strict"},
			arg:    "RULE", usage: "extended key usages: host or strict",
		},
		{
			name: "host-mode", group: groupCertificates, target: &c.HostMode,
			values: []string{"grid", "san-only"},
			arg:    "MODE", usage: "names from SAN, else CN: grid; or san-only",
		},
		{
			name: "min-tls", group: groupCertificates, target: &c.MinTLS,
			values: []string{"1.2", "1.3"},
			arg:    "VERSION", usage: "least TLS version: 1.2 or 1.3",
		},
		{
			name: "max-depth", group: groupCertificates, target: &c.MaxDepth,
			arg: "N", usage: "most CA certificates above a peer's own",
		},

		{
			name: "handshake-timeout", group: groupLimits, target: &c.Timeouts.Handshake,
			arg: "TIME", usage: "handshake and verification",
		},
		{
			name: "dial-timeout", group: groupLimits, target: &c.Timeouts.Dial,
			arg: "TIME", usage: "one attempt at one target",
		},
		{
			name: "half-close-timeout", group: groupLimits, target: &c.Timeouts.HalfClose,
			arg: "TIME", usage: "silence after one side has ended",
		},
		{
			name: "idle-timeout", group: groupLimits, target: &c.Timeouts.Idle, zero: true,
			arg: "TIME", usage: "silence both ways; 0s: for ever",
		},
		{
			name: "drain-timeout", group: groupLimits, target: &c.Timeouts.Drain,
			arg: "TIME", usage: "open connections after a stop",
		},
		{
			name: "max-connections", group: groupLimits, target: &c.Limits.Connections,
			arg: "N", usage: "connections",
		},
		{
			name: "max-handshakes", group: groupLimits, target: &c.Limits.Handshakes,
			arg: "N", usage: "handshakes in progress",
		},
		{
			name: "max-handshakes-per-source", group: groupLimits, target: &c.Limits.HandshakesPerSource,
			arg: "N", usage: "of these from one address",
		},
	}
}

// trust is what the tunnel trusts.
func (c *TunnelConfig) trust() certs.StoreConfig {
	return certs.StoreConfig{CApath: c.CApath, CAfile: c.CAfile}
}

// policy is what the tunnel asks of its peers, access rules aside.
func (c *TunnelConfig) policy() certs.Policy {
	return certs.Policy{
		CRL: c.CRL, CRLGrace: c.CRLGrace, Namespaces: c.Namespaces,
		EKU: c.EKU, HostMode: c.HostMode, MaxDepth: c.MaxDepth,
	}
}

// words are the texts of a numbered type, from 0 up.
func words[T interface {
	~int
	encoding.TextMarshaler
}]() []string {
	var list []string
	for i := T(0); ; i++ {
		text, err := i.MarshalText()
		if err != nil {
			return list
		}
		list = append(list, string(text))
	}
}

// trustOnly keeps one level of configuration (flags, [tls], a tunnel) from
// adding to the trust of the level below: where it names only one of capath
// and cafile, the other is empty.
func (c *TunnelConfig) trustOnly(capathSet, cafileSet bool) {
	switch {
	case cafileSet && !capathSet:
		c.CApath = ""
	case capathSet && !cafileSet:
		c.CAfile = ""
	}
}

// complete fills in the defaults that depend on the role.
func (c *TunnelConfig) complete() {
	accept, connect := defaultServerAccept, []string{defaultServerConnect}
	if c.Role == tunnel.Client {
		accept, connect = defaultClientAccept, nil
	}
	if c.Accept == (tunnel.Address{}) {
		c.Accept = mustParse(accept)
	}
	if len(c.Connect) == 0 {
		for _, text := range connect {
			c.Connect = append(c.Connect, mustParse(text))
		}
	}
}

func mustParse(text string) tunnel.Address {
	a, err := tunnel.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return a
}

// check finds what the values say wrongly together. It says nothing about
// keys whose values were found wrong before.
func (c *Config) check() []*usageError {
	var found []*usageError
	add := func(where place, message, hint string) {
		found = append(found, c.origin.errorAt(where, message, hint))
	}
	names, fromFile := c.origin.keyName, c.origin.file != ""
	if c.Admin != (tunnel.Address{}) && !c.Admin.IsLoopback() {
		add(place{"admin", "address"}, fmt.Sprintf("%s is not a loopback address: anybody could reach it", c.Admin),
			"use unix:/run/gtunnel/admin.sock or 127.0.0.1:9307")
	}
	for i, t := range c.Tunnels {
		section := place{"tunnel", t.Name}
		sound := func(keys ...string) bool {
			return !slices.ContainsFunc(keys, func(key string) bool { return c.origin.wrong[section.key(key).String()] })
		}
		if !sound("role") {
			continue // without it the rest is guesswork
		}
		if t.Role == tunnel.Client && len(t.Connect) == 0 && sound("connect") {
			hint := "gtunnel client --connect server1.domain.one:3307"
			if fromFile {
				hint = `add connect = ["server1.domain.one:3307"]`
			}
			add(section, names("connect")+" is missing: a client needs the address of the server", hint)
		}
		rules := len(t.AllowHost) + len(t.AllowDN)
		switch {
		case t.Role != tunnel.Server || !sound("allow_host", "allow_dn", "allow_all"):
		case rules == 0 && !t.AllowAll:
			hint := "add --allow-host server2.domain.two (the slave's name), --allow-dn DN, or --allow-all for every host with a certificate of a trusted CA"
			if fromFile {
				hint = `add allow_host = ["server2.domain.two"] (the slave's name), allow_dn = ["DN"], or allow_all = true for every host with a certificate of a trusted CA`
			}
			add(section, "no access rule: nobody could connect", hint)
		case rules > 0 && t.AllowAll:
			add(section.key("allow_all"), fmt.Sprintf("contradicts %s and %s: it lets everybody in", names("allow-host"), names("allow-dn")),
				"remove the one that you do not mean")
		}
		if !sound("accept") {
			continue
		}
		for _, other := range c.Tunnels[:i] {
			there := place{"tunnel", other.Name, "accept"}
			if !c.origin.wrong[there.String()] && other.Role != "" && overlap(t.Accept, other.Accept) {
				add(section.key("accept"), fmt.Sprintf("%s is taken by tunnel %s (%s)", t.Accept, other.Name, c.origin.describe(there)),
					"give one of them another address")
			}
		}
		if overlap(t.Accept, c.Admin) {
			add(section.key("accept"), fmt.Sprintf("%s is taken by %s", t.Accept, c.origin.describe(place{"admin", "address"})),
				"give one of them another address")
		}
	}
	return found
}

// overlap tells whether two listeners would fight for an address.
func overlap(a, b tunnel.Address) bool {
	if a.Network != b.Network || a == (tunnel.Address{}) {
		return false
	}
	if a.Network == "unix" {
		return a.Path == b.Path
	}
	return a.Port == b.Port && a.Port != "0" && (a.Host == b.Host || isAny(a.Host) || isAny(b.Host))
}

func isAny(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// tlsVersion is a version of TLS, in text 1.2 or 1.3.
type tlsVersion uint16

// UnmarshalText reads 1.2 or 1.3.
func (v *tlsVersion) UnmarshalText(text []byte) error {
	switch string(text) {
	case "1.2":
		*v = tls.VersionTLS12
	case "1.3":
		*v = tls.VersionTLS13
	default:
		return fmt.Errorf("%q is neither 1.2 nor 1.3", text)
	}
	return nil
}

// MarshalText writes 1.2 or 1.3.
func (v tlsVersion) MarshalText() ([]byte, error) { //nolint:unparam // encoding.TextMarshaler
	if v == tls.VersionTLS13 {
		return []byte("1.3"), nil
	}
	return []byte("1.2"), nil
}
