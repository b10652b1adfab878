package tunnel

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gtunnel/gtunnel/certs"
)

// takesFrom reports whether a connection from an address may be served. It is
// the one judge of Config.AllowFrom: of a connection before anything else is
// known of it, and of an open session after a change. What has no address, at a
// unix socket, is in no network.
func (c *Config) takesFrom(from netip.Addr) bool {
	if len(c.AllowFrom) == 0 {
		return true
	}
	return slices.ContainsFunc(c.AllowFrom, func(network netip.Prefix) bool { return network.Contains(from) })
}

// notFrom says why a connection from an address is refused.
func notFrom(from netip.Addr) string {
	return fmt.Sprintf("%s is in none of the networks that allow-from names", from)
}

// allowFrom says what to do if it should not be.
func allowFrom(from netip.Addr) string {
	return fmt.Sprintf("if it is one of your hosts, add it: allow-from %s", from)
}

// checkSource refuses an open session whose peer's address is no longer in the
// networks that may connect.
func (s *session) checkSource() error {
	from := s.believedFrom()
	if s.tunnel.config().takesFrom(from) {
		return nil
	}
	return &certs.Refusal{
		Code: CodeSourceNotAllowed, Subject: s.result.Load().Peer.DN, Reason: notFrom(from), Cure: allowFrom(from),
	}
}

// believedFrom is the address of the peer of an open session, by whom is believed now:
// what a proxy has told counts as long as it is one of Config.AcceptProxyFrom.
func (s *session) believedFrom() netip.Addr {
	if s.origin.proxy == nil || s.tunnel.isProxy(s.origin.proxy) {
		return s.from
	}
	return addressOf(s.origin.proxy)
}

// checkAllowFrom refuses networks where no connection has an address.
func (c Config) checkAllowFrom() []*ConfigError {
	if len(c.AllowFrom) == 0 || c.Accept.Network != "unix" {
		return nil
	}
	return []*ConfigError{{
		Setting: "allow-from", Reason: "what connects to a unix socket has no address: nobody could connect",
		Cure: "remove allow-from: the mode of the socket's folder says who may connect",
	}}
}
