package tunnel

import "github.com/gtunnel/gtunnel/certs"

// The reasons of the tunnel itself for which a connection comes to nothing;
// they stand beside those of package certs in logs, Status and metrics.
const (
	CodeTooManyHandshakes  certs.Code = "too-many-handshakes"             // Limits.Handshakes
	CodeTooManyFromSource  certs.Code = "too-many-handshakes-from-source" // Limits.HandshakesPerSource
	CodeTooManyConnections certs.Code = "too-many-connections"            // Limits.Connections
	CodeTooManyOfPeer      certs.Code = "too-many-connections-of-peer"    // Limits.ConnectionsPerPeer
	CodeSourceNotAllowed   certs.Code = "source-not-allowed"              // Config.AllowFrom
	CodeNoTarget           certs.Code = "no-target"                       // no target could be reached
	CodeTLSOnPlainPort     certs.Code = "tls-on-plain-port"               // client: TLS arrived where plain data belongs
	CodeAcceptFailed       certs.Code = "accept-failed"                   // the system gave no socket for a connection
	CodeBadProxyHeader     certs.Code = "bad-proxy-header"                // from AcceptProxyFrom, without a sound header
	CodeTargetRefused      certs.Code = "target-refused"                  // what ProxyProtocol told the target
)

// Codes lists the codes of this package, each with its meaning and what is mostly
// to do. Settings stand there by their bare names.
func Codes() []certs.Meaning {
	return []certs.Meaning{
		{
			Code: CodeSourceNotAllowed, Meaning: "the connection comes from none of the networks of allow-from",
			Cure: "If it is one of your hosts, add its address to allow-from.",
		},
		{
			Code: CodeTooManyHandshakes, Meaning: "more connections wait for their verification than max-handshakes allows",
			Cure: "See who connects so much: ss -tn. If they are your own hosts, raise max-handshakes.",
		},
		{
			Code: CodeTooManyFromSource, Meaning: "of these, more than max-handshakes-per-source allows are of one address",
			Cure: "If it is your own host, raise max-handshakes-per-source.",
		},
		{
			Code: CodeTooManyConnections, Meaning: "as many connections are open as max-connections allows",
			Cure: "Look for what keeps them open: gtunnel sessions. Or raise max-connections.",
		},
		{
			Code: CodeTooManyOfPeer, Meaning: "the peer has as many connections open as max-connections-per-peer allows",
			Cure: "Look on that host for what opens so many, or raise max-connections-per-peer.",
		},
		{
			Code: CodeNoTarget, Meaning: "no target could be reached",
			Cure: "See that the target runs and listens there; the line of the log says what is wrong with each.",
		},
		{
			Code: CodeTLSOnPlainPort, Meaning: "TLS arrived at a client's plain end",
			Cure: "Switch TLS off in the program that connects there: the tunnel does it.",
		},
		{
			Code: CodeAcceptFailed, Meaning: "the system gave no socket for a connection",
			Cure: "Raise the limit of open files: LimitNOFILE in the systemd unit.",
		},
		{
			Code: CodeBadProxyHeader, Meaning: "a connection from a network of accept-proxy-from has no sound PROXY header",
			Cure: "Have the proxy send one (haproxy: send-proxy-v2), or take its network out of accept-proxy-from.",
		},
		{
			Code: CodeTargetRefused, Meaning: "the target refused what proxy-protocol told it",
			Cure: "Set proxy_protocol_networks on MariaDB, and have an account for the address of the peer; for MySQL, leave " +
				"proxy-protocol off. More: gtunnel help proxy.",
		},
	}
}
