package certs

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// The values of Identity.Rule.
const (
	ruleSubjectAltName = "subjectAltName"
	ruleCommonName     = "common name"
)

// Identify reads from a certificate who its holder says to be. It judges
// nothing: only Verify does. The error is about names that are malformed.
func Identify(cert *x509.Certificate, mode HostMode) (Identity, error) {
	e, err := newElement(cert)
	if err != nil {
		return Identity{}, err
	}
	return identify(e, mode), nil
}

// identify reads the host names by the rules of HostMode: if there is a
// dNSName, only subjectAltNames count (RFC 6125, section 6.4.4); names that
// are no host names are left out.
func identify(e *element, mode HostMode) Identity {
	identity := Identity{DN: e.subject.Slash(), RFC4514: e.subject.RFC4514(), Rule: ruleSubjectAltName}
	seen := make(map[string]bool, len(e.cert.DNSNames))
	for _, name := range e.cert.DNSNames {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !seen[name] && validPattern(name) {
			seen[name] = true
			identity.Hosts = append(identity.Hosts, name)
		}
	}
	for _, ip := range e.cert.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			identity.IPs = append(identity.IPs, address.Unmap().String())
		}
	}
	if mode == HostModeGrid && len(e.cert.DNSNames) == 0 {
		if host := hostOfCommonName(e.subject); host != "" {
			identity.Hosts, identity.Rule = []string{host}, ruleCommonName
		}
	}
	return identity
}

// hostOfCommonName reads the last common name as fqdn, host/fqdn or
// service/fqdn. A name without a dot is a host's only after a slash: people
// are called "alice" too.
func hostOfCommonName(subject *dn.Name) string {
	cn := subject.CommonName()
	service, host, found := strings.Cut(cn, "/")
	if !found {
		service, host = "", cn
	}
	host = strings.ToLower(host)
	if !validHost(host) || found && !validService(service) || !found && !strings.Contains(host, ".") {
		return ""
	}
	return host
}

// validService reports whether the part of a common name before the slash is a
// service.
func validService(service string) bool {
	isOther := func(r rune) bool { return !isHostRune(r) && (r < 'A' || r > 'Z') }
	return service != "" && strings.IndexFunc(service, isOther) < 0
}

// validHost reports whether name is a host name in lower case: labels of
// letters, digits, hyphens and underscores, and no IP address in any form.
// Resolvers take a name whose last label is a number, decimal or 0x and
// hexadecimal, for an IPv4 address: 10.1, 0x0a000001 and 167772161 are.
func validHost(name string) bool {
	if len(name) > 253 {
		return false
	}
	var label string
	for label = range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.IndexFunc(label, func(r rune) bool { return !isHostRune(r) }) >= 0 {
			return false
		}
	}
	digits, base := label, 10
	if rest, ok := strings.CutPrefix(label, "0x"); ok {
		digits, base = rest, 16
	}
	return strings.IndexFunc(digits, func(r rune) bool { return !isDigit(r, base) }) >= 0
}

// isDigit reports whether a rune is a digit of base 10 or 16.
func isDigit(r rune, base int) bool {
	return r >= '0' && r <= '9' || base == 16 && r >= 'a' && r <= 'f'
}

// isHostRune reports whether a rune may stand in a host name.
func isHostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// validPattern reports whether name is what validHost wants, or a wildcard for
// the whole left label of a name with two more labels at least.
func validPattern(name string) bool {
	if parent, ok := strings.CutPrefix(name, "*."); ok {
		return validHost(parent) && strings.Contains(parent, ".")
	}
	return validHost(name)
}

// Proves reports whether the identity includes the host, a name or an IP
// address. Addresses are proved by iPAddress names only, wildcards stand for
// one label.
func (i Identity) Proves(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return slices.Contains(i.IPs, address.WithZone("").Unmap().String())
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validHost(host) {
		return false
	}
	_, parent, _ := strings.Cut(host, ".")
	return slices.Contains(i.Hosts, host) || parent != "" && slices.Contains(i.Hosts, "*."+parent)
}

// judgeHost asks whether the certificate proves the host; an empty host asks
// nothing.
func judgeHost(leaf *element, identity Identity, host string) *Refusal {
	if host == "" || identity.Proves(host) {
		return nil
	}
	r := refuse(leaf, 0, CodeWrongHost, "the host must be %s, and the certificate proves %s", dn.Escape(host),
		identity.proven())
	if name := identity.likelyName(host); name != "" {
		r.Cure = fmt.Sprintf("If %s is the host that you mean, say so with ‹server-name› %s.", name, name)
	}
	return r
}

// proven lists what the identity proves, for messages.
func (i Identity) proven() string {
	all := slices.Concat(i.Hosts, i.IPs)
	switch {
	case len(all) == 0:
		return "no host name"
	case len(all) > 5:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), len(all)-5)
	default:
		return strings.Join(all, ", ")
	}
}

// likelyName guesses which of the proven names was meant by host: one that
// begins with the same label, or the first.
func (i Identity) likelyName(host string) string {
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	var first string
	for _, name := range i.Hosts {
		if strings.HasPrefix(name, "*.") {
			continue
		}
		if own, _, _ := strings.Cut(name, "."); own == label {
			return name
		}
		if first == "" {
			first = name
		}
	}
	if first == "" && len(i.IPs) > 0 {
		first = i.IPs[0]
	}
	return first
}
