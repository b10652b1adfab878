package certs

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Access says which verified peers may use a tunnel. A peer passes if any
// rule names it. The zero value allows nobody. It is immutable.
type Access struct {
	all      bool
	hosts    []string // canonical
	dns      []string // normalised, whole
	prefixes []string // normalised, without the '*'
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
	for _, dn := range dns {
		pattern, prefix, err := accessDN(dn)
		switch {
		case err != nil:
			problems = append(problems, err)
		case prefix:
			a.prefixes = append(a.prefixes, pattern)
		default:
			a.dns = append(a.dns, pattern)
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

var (
	// dnStart matches the beginning of an attribute in a slash form. OpenSSL 3
	// joins the attributes of a multi-valued RDN by '+'.
	dnStart = regexp.MustCompile(`[/+]([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)=`)
	// looksEscaped matches what reads like an escape in the value of a name.
	looksEscaped = regexp.MustCompile(`\\[xX/+]|\\$`)
	// slashEscape matches what OpenSSL 3 escapes in a slash form.
	slashEscape = strings.NewReplacer(`\/`, `/`, `\+`, `+`)
)

// accessDN reads a rule that names a DN, or with a '*' at the end the
// beginning of DNs.
func accessDN(rule string) (pattern string, prefix bool, err error) {
	dn := strings.TrimSpace(rule)
	if len(dn) >= 2 && dn[0] == '"' && dn[len(dn)-1] == '"' {
		dn = dn[1 : len(dn)-1]
	}
	fail := func(why, hint string) (string, bool, error) {
		return "", false, &setupError{message: fmt.Sprintf("the access rule %q can match nobody: %s", rule, why), hint: hint}
	}
	example := "write it as: ‹allow-dn› '/DC=org/DC=site/CN=server2.domain.one'; gtunnel certs show FILE prints a certificate's DN in this form"
	dn, prefix = strings.CutSuffix(dn, "*")
	switch {
	case dn == "" || dn == "/":
		if prefix {
			return fail("it names no DN", "give ‹allow-all› to allow every host that a trusted CA vouches for")
		}
		return fail("it is empty", example)
	case strings.Contains(dn, "*"):
		return fail("a '*' stands only at the end", example)
	case strings.Contains(dn, `"`) && strings.HasPrefix(dn, `"`):
		return fail("its quotes do not pair", example)
	}
	// The beginning of a DN may end inside its first attribute's type.
	at := dnStart.FindStringIndex(dn)
	whole := at != nil && at[0] == 0
	if !strings.HasPrefix(dn, "/") || !whole && (!prefix || strings.Contains(dn, "=")) {
		return fail("it is not a DN in slash form", example)
	}
	pattern = normalizePattern(dn, prefix)
	if !prefix && strings.HasSuffix(pattern, "=") {
		return fail("its last attribute has no value", example)
	}
	return pattern, prefix, nil
}

// normalizePattern is normalizeDN of a whole name or of the beginning of names
// as a person wrote it, with white space folded. In a beginning that ends
// inside a value, a space at the end is one.
func normalizePattern(dn string, beginning bool) string {
	folded := foldDN(dn)
	if beginning && strings.HasSuffix(dn, " ") {
		folded += " "
	}
	return normalizeDN(folded)
}

// normalizeDN gives the form in which DNs of rules are compared with those of
// certificates: in lower case, one spelling for each attribute type, and what
// OpenSSL 3 escapes as older releases wrote it.
func normalizeDN(dn string) string {
	var b strings.Builder
	rest := escapeOctets(dn)
	for {
		at := dnStart.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(strings.ToLower(slashEscape.Replace(rest[:at[0]])))
		b.WriteString("/" + attributeKey(rest[at[2]:at[3]]) + "=")
		rest = rest[at[1]:]
	}
	b.WriteString(strings.ToLower(slashEscape.Replace(rest)))
	return b.String()
}

// names reports whether a rule names a DN, by what its values say; a rule that
// was written from the octets of older tools counts where it can mean nothing
// else, see nameForms.
func (a *Access) names(name nameForms) bool {
	if name.ambiguous != "" || name.control {
		return false
	}
	forms := []slashForm{name.text}
	if name.unlike {
		forms = append(forms, name.octets)
	}
	for _, form := range forms {
		attributes := form.normal()
		if slices.Contains(a.dns, strings.Join(attributes, "")) ||
			slices.ContainsFunc(a.prefixes, func(prefix string) bool { return beginWith(attributes, prefix) }) {
			return true
		}
	}
	return false
}

// beginWith reports whether a name's attributes begin with a prefix. Where the
// prefix ends inside an attribute, a '/' of its own is no part of the value,
// unless that is a common name, such as host/fqdn.
func beginWith(attributes []string, prefix string) bool {
	for _, a := range attributes {
		if len(prefix) <= len(a) {
			return strings.HasPrefix(a, prefix) && (strings.LastIndexByte(prefix, '/') <= 0 || strings.HasPrefix(a, "/cn="))
		}
		var ok bool
		if prefix, ok = strings.CutPrefix(prefix, a); !ok {
			return false
		}
	}
	return false
}

// judge refuses a peer that no rule names. A nil Access does not judge.
func (a *Access) judge(leaf *element, identity Identity) *Refusal {
	if a == nil || a.all && len(identity.Hosts)+len(identity.IPs) > 0 || slices.ContainsFunc(a.hosts, identity.proves) {
		return nil
	}
	name := leaf.subject.forms()
	if a.names(name) {
		return nil
	}
	r := refuse(leaf, 0, CodeNotAllowed, "no access rule names it; it proves %s", identity.proven())
	exact := slices.DeleteFunc(slices.Concat(identity.Hosts, identity.IPs), func(host string) bool { return strings.HasPrefix(host, "*.") })
	add := "add"
	if a.all {
		r.Reason = "it proves no host name and no IP address, and ‹allow-all› admits hosts only"
		add = "replace ‹allow-all› by rules that name each peer, with"
	}
	nameless := namelessReason(identity.DN, name)
	if nameless != "" {
		r.Reason += "; no ‹allow-dn› can name it alone: " + nameless
	}
	switch {
	case len(exact) > 0:
		r.Cure = fmt.Sprintf("If it may use this tunnel, add ‹allow-host› %s.", exact[0])
	case nameless == "":
		rule := singleQuote(identity.DN)
		if len(identity.DN) > maxQuoted {
			rule = "and its DN, which gtunnel certs show prints on the peer"
		}
		r.Cure = fmt.Sprintf("If it may use this tunnel, %s ‹allow-dn› %s.", add, rule)
	case len(identity.Hosts) > 0:
		r.Cure = fmt.Sprintf("If it may use this tunnel, add ‹allow-host› with its name below %s.", strings.TrimPrefix(identity.Hosts[0], "*."))
	default:
		r.Cure = "Ask the CA for a certificate with the host's name as subjectAltName."
	}
	return r
}

// namelessReason says why no rule can be made of a DN; empty if one can.
func namelessReason(dn string, name nameForms) string {
	switch {
	case dn == "":
		return "its DN is empty"
	case name.ambiguous != "":
		return "its DN in slash form stands for other names too: " + name.ambiguous
	case name.control:
		return "its DN holds control characters"
	case strings.Contains(dn, "*"):
		return "its DN holds a '*'"
	}
	return ""
}
