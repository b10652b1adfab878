package certs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// Access says which verified peers may use a tunnel. A peer passes if any
// rule names it. The zero value allows nobody. It is immutable.
type Access struct {
	all   bool
	hosts []string // canonical
	dns   dn.Rules
}

// NewAccess builds the rules: host names, DNs in slash form (a '*' at the end
// stands for any rest), or every host that a trusted CA vouches for, which is
// who proves a host name or an IP address. It fails on rules that cannot match
// anything, naming each.
//
// Host names are compared with the names that the peer's certificate proves;
// IP addresses with its iPAddress names. DNs may stand in double quotes, as
// in a grid-mapfile, and are compared without regard to case and to the
// spelling of attribute types (E, Email and emailAddress; UID and USERID, but
// not uid, which is how OpenSSL writes uniqueIdentifier). A '/' in the last
// attribute before a '*' begins the next attribute, except in a CN: the rule
// /O=hosts/* names nobody of O=hosts/other, and /CN=host/* names host/db.
func NewAccess(hosts, dns []string, all bool) (*Access, error) {
	a := &Access{all: all}
	var problems []error
	for _, host := range hosts {
		canonical, err := accessHost(host)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		a.hosts = append(a.hosts, canonical)
	}
	for _, rule := range dns {
		if err := a.dns.Add(rule); err != nil {
			problems = append(problems, uselessDN(rule, err))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return a, nil
}

// accessHost reads a rule that names a host.
func accessHost(rule string) (string, error) {
	if address, err := netip.ParseAddr(strings.Trim(rule, "[]")); err == nil {
		return address.WithZone("").Unmap().String(), nil
	}
	host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(rule), "."))
	if validHost(host) {
		return host, nil
	}
	e := &setupError{
		message: fmt.Sprintf("the access rule %q can match nobody: it is not a host name", rule),
		hint:    "give the host's full name, such as ‹allow-host› server2.domain.one",
	}
	switch {
	case strings.HasPrefix(rule, "/"):
		e.hint = "a DN is given with ‹allow-dn› " + singleQuote(rule)
	case strings.Contains(rule, "*"):
		e.hint = "name each host with an ‹allow-host› of its own; '*' stands only at the end of an ‹allow-dn›"
	case validHost(beforeColon(host)):
		e.hint = "leave the port away: ‹allow-host› " + beforeColon(host)
	}
	return "", e
}

func beforeColon(s string) string {
	host, _, _ := strings.Cut(s, ":")
	return host
}

// uselessDN explains why a rule that names DNs is none.
func uselessDN(rule string, err error) error {
	e := &setupError{
		message: fmt.Sprintf("the access rule %q can match nobody: %v", rule, err),
		hint: "write it as: ‹allow-dn› '/DC=org/DC=site/CN=server2.domain.one'; " +
			"gtunnel certs show FILE prints a certificate's DN in this form",
	}
	if errors.Is(err, dn.ErrEveryDN) {
		e.hint = "give ‹allow-all› to allow every host that a trusted CA vouches for"
	}
	return e
}

// judge refuses a peer that no rule names. A nil Access does not judge.
func (a *Access) judge(leaf *element, identity Identity) *Refusal {
	if a == nil || a.all && len(identity.Hosts)+len(identity.IPs) > 0 || slices.ContainsFunc(a.hosts, identity.Proves) {
		return nil
	}
	if a.dns.Match(leaf.subject) {
		return nil
	}
	r := refuse(leaf, 0, CodeNotAllowed, "no access rule names it; it proves %s", identity.proven())
	isWildcard := func(host string) bool { return strings.HasPrefix(host, "*.") }
	exact := slices.DeleteFunc(slices.Concat(identity.Hosts, identity.IPs), isWildcard)
	add := "add"
	if a.all {
		r.Reason = "it proves no host name and no IP address, and ‹allow-all› admits hosts only"
		add = "replace ‹allow-all› by rules that name each peer, with"
	}
	nameless := dn.NoRule(leaf.subject)
	if nameless != "" {
		r.Reason += "; no ‹allow-dn› can name it alone: " + nameless
	}
	switch {
	case len(exact) > 0:
		r.Cure = fmt.Sprintf("If it may use this tunnel, add ‹allow-host› %s.", exact[0])
	case nameless == "":
		rule := singleQuote(identity.DN)
		if len(identity.DN) > dn.MaxQuoted {
			rule = "and its DN, which gtunnel certs show prints on the peer"
		}
		r.Cure = fmt.Sprintf("If it may use this tunnel, %s ‹allow-dn› %s.", add, rule)
	case len(identity.Hosts) > 0:
		r.Cure = fmt.Sprintf("If it may use this tunnel, add ‹allow-host› with its name below %s.",
			strings.TrimPrefix(identity.Hosts[0], "*."))
	default:
		r.Cure = "Ask the CA for a certificate with the host's name as subjectAltName."
	}
	return r
}
