package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Doubts finds access rules that are sound and yet let in hardly anybody: host
// names that grid certificates do not hold. They are warned of, because a
// certificate may.
func (c *Config) Doubts() []*usage.Error {
	var found []*usage.Error
	for _, t := range c.Tunnels {
		if t.Role != tunnel.Server || !c.origin.sound(t.place(), "allow_host") {
			continue
		}
		for _, rule := range t.AllowHost {
			if message, hint := doubtfulHost(rule); message != "" {
				found = append(found, c.origin.errorAt(t.place().key("allow_host"), message, hint))
			}
		}
	}
	return found
}

// fullName is what to do about a doubtful name.
const fullName = "write the full name in the peer's certificate: " +
	"gtunnel certs show /etc/grid-security/hostcert.pem on that host prints it"

// doubtfulHost says why a rule that names a host may match nobody, and what to
// write; an empty message if it is a full name.
func doubtfulHost(rule string) (message, hint string) {
	host := strings.TrimSuffix(strings.TrimSpace(rule), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return fmt.Sprintf("%s is an IP address: it lets in only a certificate that holds it as an iPAddress, "+
			"not whoever connects from there", host), fullName
	}
	if !strings.Contains(host, ".") {
		return fmt.Sprintf("%s has no dot: it lets in only a certificate that holds the short name; "+
			"%s.domain.two is another name", host, host), fullName
	}
	return "", ""
}

// ProxyDoubts finds networks of proxies that are all the world. They are warned
// of, because a firewall may stand before it.
func (c *Config) ProxyDoubts() []*usage.Error {
	var found []*usage.Error
	for _, t := range c.Tunnels {
		for _, network := range t.AcceptProxyFrom {
			if network.Bits() == 0 {
				found = append(found, c.origin.errorAt(t.place().key("accept_proxy_from"),
					network.String()+" is every host: each could say that it is another one", "write the addresses of the proxies"))
			}
		}
	}
	return found
}
