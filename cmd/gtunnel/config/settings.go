package config

import (
	"encoding"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// The groups of settings in the help.
const (
	GroupTunnel       = "Tunnel"
	GroupAccess       = "Access"
	GroupCertificates = "Certificates"
	GroupLimits       = "Limits and time-outs"
	GroupLogging      = "Logging, admin and process"
	GroupLogin        = "The server of this host"
	GroupPair         = "A pair"
	GroupVOMS         = "A VOMS site"
	GroupMaster       = "The master, through the tunnel"
)

// minReloadInterval keeps a process from doing nothing but looking at files.
const minReloadInterval = 100 * time.Millisecond

// Settings lists what the flags and the file set for the process.
func (c *Config) Settings() []Setting {
	return append([]Setting{
		{
			Name: "reload-interval", Group: GroupCertificates, Target: &c.ReloadInterval, Zero: true, Least: minReloadInterval,
			Arg: "TIME", Usage: "how often to look for new files; 0s: at SIGHUP",
		},
		{
			Name: "log-level", Group: GroupLogging, Target: &c.LogLevel,
			Values: []string{"debug", "info", "warn", "error"},
			Arg:    "LEVEL", Usage: "debug, info, warn or error",
		},
		{
			Name: "log-format", Group: GroupLogging, Target: &c.LogFormat,
			Values: []string{"console", "json"},
			Arg:    "FORMAT", Usage: "console or json",
		},
		{
			Name: "log-file", Group: GroupLogging, Target: &c.LogFile, File: true, Preset: "standard error",
			Arg: "FILE", Usage: "SIGHUP opens it anew",
		},
		{
			Name: "admin", Group: GroupLogging, Target: &c.Admin, Preset: "unix:" + RuntimeFolder + "/" + c.AdminSocket,
			Arg: "ADDRESS", Usage: "for status, page; or none",
		},
		{
			Name: "landlock", Group: GroupLogging, Target: &c.Landlock,
			Values: []string{LandlockOn, LandlockFiles, LandlockOff},
			Arg:    "MODE", Usage: "only its own files and ports; or files, off",
		},
	}, c.processSettings()...)
}

// processSettings are what systemd does for a service, where there is none.
func (c *Config) processSettings() []Setting {
	return []Setting{
		{
			Name: "user", Group: GroupLogging, Target: &c.User,
			Arg: "USER", Usage: "whom root becomes, with key and ports in hand",
		},
		{
			Name: "group", Group: GroupLogging, Target: &c.Group, Preset: "the user's",
			Arg: "GROUP", Usage: "its group",
		},
		{
			Name: "pid-file", Group: GroupLogging, Target: &c.PidFile, File: true,
			Arg: "FILE", Usage: "for the number of the process",
		},
	}
}

// Settings lists what the flags and the file set for a tunnel.
func (t *Tunnel) Settings() []Setting {
	settings := t.endSettings()
	settings = append(settings, t.accessSettings()...)
	settings = append(settings, t.certificateSettings()...)
	return append(settings, t.limitSettings()...)
}

// endSettings are of the tunnel's two ends.
func (t *Tunnel) endSettings() []Setting {
	accept, connect, port := defaultServerAccept, defaultServerConnect, MySQLPort
	if t.Role == tunnel.Client {
		accept, connect, port = DefaultClientAccept, "none", DefaultPort
	}
	return []Setting{
		{
			Name: "accept", Group: GroupTunnel, Target: &t.Accept, Preset: accept, Port: DefaultPort,
			Arg: "ADDRESS", Usage: "where to listen; :P: IPv4 and IPv6",
		},
		{
			Name: "allow-from", Group: GroupTunnel, Target: &t.AllowFrom, Preset: "anywhere",
			Arg: "NETWORK", Usage: "who connects, as 192.0.2.0/24; repeatable",
		},
		{
			Name: "connect", Group: GroupTunnel, Target: &t.Connect, Preset: connect, Port: port,
			Arg: "ADDRESS", Usage: "the target; repeat it for failover",
		},
		{
			Name: "server-name", Group: GroupTunnel, Target: &t.ServerName, Role: tunnel.Client,
			Arg: "NAME", Usage: "what the server must prove, if not the host in --connect",
		},
		{
			Name: "unsafe-plaintext", Group: GroupTunnel, Target: &t.UnsafePlaintext,
			Usage: "let the plain end reach beyond this host",
		},
		{
			Name: "congestion", Group: GroupTunnel, Target: &t.Congestion, Preset: "the system's",
			Arg: "NAME", Usage: "of TCP to the peer, such as bbr",
		},
		{
			Name: "proxy-protocol", Group: GroupTunnel, Target: &t.ProxyProtocol, Role: tunnel.Server,
			Usage: "tell MariaDB the address of each peer",
		},
		{
			Name: "accept-proxy-from", Group: GroupTunnel, Target: &t.AcceptProxyFrom, Role: tunnel.Server,
			Arg: "CIDR", Usage: "proxies, which send PROXY headers; repeatable",
		},
	}
}

// accessSettings are whom a server lets in.
func (t *Tunnel) accessSettings() []Setting {
	return []Setting{
		{
			Name: "allow-host", Group: GroupAccess, Target: &t.AllowHost, Role: tunnel.Server,
			Arg: "NAME", Usage: "a host, by a wildcard certificate too; repeatable",
		},
		{
			Name: "allow-dn", Group: GroupAccess, Target: &t.AllowDN, Role: tunnel.Server,
			Arg: "DN", Usage: "its DN instead, such as '/DC=two/O=hosts/*'; repeatable",
		},
		{
			Name: "allow-all", Group: GroupAccess, Target: &t.AllowAll, Role: tunnel.Server,
			Usage: "every host with a certificate of a trusted CA",
		},
	}
}

// certificateSettings are what the tunnel proves itself with, trusts and asks.
func (t *Tunnel) certificateSettings() []Setting {
	return []Setting{
		{
			Name: "cert", Group: GroupCertificates, Target: &t.Cert, File: true,
			Arg: "FILE", Usage: "host certificate",
		},
		{
			Name: "key", Group: GroupCertificates, Target: &t.Key, File: true,
			Arg: "FILE", Usage: "its key",
		},
		{
			Name: "capath", Group: GroupCertificates, Target: &t.CApath, File: true,
			Arg: "DIR", Usage: "trusted CAs",
		},
		{
			Name: "cafile", Group: GroupCertificates, Target: &t.CAfile, File: true,
			Arg: "FILE", Usage: "trusted CAs too; without --capath: only these",
		},
		{
			Name: "crl", Group: GroupCertificates, Target: &t.CRL, Values: textsOf[certs.CRLMode](),
			Arg: "MODE", Usage: "if-present, require, if-valid or ignore",
		},
		{
			Name: "crl-grace", Group: GroupCertificates, Target: &t.CRLGrace, Zero: true,
			Arg: "TIME", Usage: "how long a stale CRL is let pass",
		},
		{
			Name: "namespaces", Group: GroupCertificates, Target: &t.Namespaces, Values: textsOf[certs.NamespacesMode](),
			Arg: "MODE", Usage: "see help policies",
		},
		{
			Name: "eku", Group: GroupCertificates, Target: &t.EKU,
			Values: []string{"host", "strict"},
			Arg:    "RULE", Usage: "extended key usages: host or strict",
		},
		{
			Name: "host-mode", Group: GroupCertificates, Target: &t.HostMode,
			Values: []string{"grid", "san-only"},
			Arg:    "MODE", Usage: "grid: SAN, and CN if no dNSName; or san-only",
		},
		{
			Name: "min-tls", Group: GroupCertificates, Target: &t.MinTLS,
			Values: []string{"1.2", "1.3"},
			Arg:    "VERSION", Usage: "least TLS version: 1.2 or 1.3",
		},
		{
			Name: "max-depth", Group: GroupCertificates, Target: &t.MaxDepth,
			Arg: "N", Usage: "most CA certificates above a peer's own",
		},
	}
}

// limitSettings are how long and how many.
func (t *Tunnel) limitSettings() []Setting {
	return []Setting{
		{
			Name: "handshake-timeout", Group: GroupLimits, Target: &t.Timeouts.Handshake,
			Arg: "TIME", Usage: "handshake and verification",
		},
		{
			Name: "dial-timeout", Group: GroupLimits, Target: &t.Timeouts.Dial,
			Arg: "TIME", Usage: "one attempt at one target",
		},
		{
			Name: "half-close-timeout", Group: GroupLimits, Target: &t.Timeouts.HalfClose,
			Arg: "TIME", Usage: "silence after one side has ended",
		},
		{
			Name: "idle-timeout", Group: GroupLimits, Target: &t.Timeouts.Idle, Zero: true,
			Arg: "TIME", Usage: "silence both ways; 0s: for ever",
		},
		{
			Name: "drain-timeout", Group: GroupLimits, Target: &t.Timeouts.Drain,
			Arg: "TIME", Usage: "open connections after a stop",
		},
		{
			Name: "max-connections", Group: GroupLimits, Target: &t.Limits.Connections,
			Arg: "N", Usage: "connections",
		},
		{
			Name: "max-connections-per-peer", Group: GroupLimits, Target: &t.Limits.ConnectionsPerPeer, Role: tunnel.Server,
			Arg: "N", Usage: "of these of one DN",
		},
		{
			Name: "max-session-age", Group: GroupLimits, Target: &t.Timeouts.SessionAge, Zero: true,
			Arg: "TIME", Usage: "a connection then ends; 0s: never",
		},
		{
			Name: "max-handshakes", Group: GroupLimits, Target: &t.Limits.Handshakes,
			Arg: "N", Usage: "handshakes in progress",
		},
		{
			Name: "max-handshakes-per-source", Group: GroupLimits, Target: &t.Limits.HandshakesPerSource,
			Arg: "N", Usage: "of these from one address",
		},
	}
}

// textsOf are the texts of a numbered type, from 0 up.
func textsOf[T interface {
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

// OfOtherRole refuses a flag that the command of a role lacks because it is for
// the other role; nil if it is for neither.
func OfOtherRole(role tunnel.Role, flag string) *usage.Error {
	if role != tunnel.Server && role != tunnel.Client {
		return nil
	}
	t := NewTunnel("", "")
	for _, s := range t.Settings() {
		if s.Name == flag && s.Role != "" && s.Role != role {
			return &usage.Error{
				Where: "--" + flag, Message: fmt.Sprintf("is for gtunnel %s only", s.Role), Cure: roleHint(role, s, origin{}),
			}
		}
	}
	return nil
}

// roleHint says what a role has in place of a setting of the other one.
func roleHint(role tunnel.Role, s Setting, o origin) string {
	switch {
	case role == tunnel.Client && s.Group == GroupTunnel:
		return "remove it here: it is for the gtunnel server, which sees where peers come from"
	case role == tunnel.Client:
		return "remove it: a client lets in whoever can reach its address, and checks the server's name"
	}
	return fmt.Sprintf("remove it: a server checks its peers against %s and %s",
		o.keyName("allow-host"), o.keyName("allow-dn"))
}
