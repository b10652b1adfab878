package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The kinds of GeneralName (RFC 5280, section 4.2.1.6), by the number of
// their tag.
const (
	nameEmail     = 1
	nameDNS       = 2
	nameDirectory = 4
	nameURI       = 6
	nameIP        = 7
)

var generalNameKinds = []string{"otherName", "rfc822Name", "dNSName", "x400Address", "directoryName", "ediPartyName", "URI", "iPAddress", "registeredID"}

// generalName is a name of a certificate or the base of a constraint.
type generalName struct {
	kind  int
	value []byte // content; of a directoryName the whole Name
}

// String shows the name in messages.
func (g generalName) String() string {
	value := excerpt(g.value)
	switch g.kind {
	case nameDirectory:
		if name, err := ParseName(g.value); err == nil {
			value = name.brief()
		}
	case nameIP:
		if address, ok := netip.AddrFromSlice(g.value); ok {
			value = address.String()
		} else if half := len(g.value) / 2; half == 4 || half == 16 {
			base, _ := netip.AddrFromSlice(g.value[:half])
			mask, _ := netip.AddrFromSlice(g.value[half:])
			value = fmt.Sprintf("%s/%s", base, mask)
		}
	}
	return generalNameKinds[g.kind] + " " + value
}

// constraints are the parsed nameConstraints of a CA.
type constraints struct {
	permitted, excluded []generalName
}

// checkNameConstraints applies the constraints of one CA to every certificate
// below it (RFC 5280, section 4.2.1.10). Self-issued CA certificates are
// exempt.
func checkNameConstraints(s *search, path []*element, depth int) *Refusal {
	ca := path[depth]
	value, present := extension(ca.cert, oidNameConstraints)
	if !present {
		return nil
	}
	limits, err := parseConstraints(value)
	if err != nil {
		return refuse(ca, depth, CodeNameConstraints, "its name constraints cannot be applied: %v", err)
	}
	for below := depth - 1; below >= 0; below-- {
		e := path[below]
		if below > 0 && e.selfIssued() {
			continue
		}
		names, err := constrainedNames(e)
		if err == nil && below == 0 {
			// A common name that stands for a host is bound like a dNSName.
			for _, host := range s.identity.Hosts {
				names = append(names, generalName{nameDNS, []byte(host)})
			}
		}
		if err == nil {
			err = limits.allow(names, &s.compared)
		}
		if errors.Is(err, errConstraintWork) {
			return refuse(e, below, CodeTooMuchWork, "%v: those of %s%s", err, ca.subject.brief(), ca.source())
		}
		if err != nil {
			r := refuse(e, below, CodeNameConstraints, "the name constraints of %s%s forbid it: %v", ca.subject.brief(), ca.source(), err)
			r.File, r.Line = ca.file, ca.line
			return r
		}
	}
	return nil
}

func parseConstraints(der []byte) (*constraints, error) {
	input := cryptobyte.String(der)
	var sequence, permitted, excluded cryptobyte.String
	malformed := errors.New("malformed extension")
	if !input.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) || !input.Empty() ||
		!sequence.ReadOptionalASN1(&permitted, nil, cryptobyte_asn1.Tag(0).ContextSpecific().Constructed()) ||
		!sequence.ReadOptionalASN1(&excluded, nil, cryptobyte_asn1.Tag(1).ContextSpecific().Constructed()) ||
		!sequence.Empty() || len(permitted) == 0 && len(excluded) == 0 {
		return nil, malformed
	}
	var c constraints
	for _, list := range []struct {
		der  cryptobyte.String
		into *[]generalName
	}{{permitted, &c.permitted}, {excluded, &c.excluded}} {
		for !list.der.Empty() {
			var subtree cryptobyte.String
			if !list.der.ReadASN1(&subtree, cryptobyte_asn1.SEQUENCE) {
				return nil, malformed
			}
			base, err := readGeneralName(&subtree)
			if err != nil {
				return nil, err
			}
			if !subtree.Empty() {
				return nil, errors.New("a subtree with a minimum or maximum")
			}
			if base.kind == nameIP && len(base.value) != 8 && len(base.value) != 32 {
				return nil, errors.New("an iPAddress that is no address and mask")
			}
			*list.into = append(*list.into, base)
		}
	}
	return &c, nil
}

// readGeneralName reads one GeneralName and checks that it is well formed.
func readGeneralName(input *cryptobyte.String) (generalName, error) {
	var value cryptobyte.String
	var tag cryptobyte_asn1.Tag
	if !input.ReadAnyASN1(&value, &tag) {
		return generalName{}, errors.New("malformed general name")
	}
	kind := int(tag & 0x1f)
	if tag&0xc0 != 0x80 || kind >= len(generalNameKinds) {
		return generalName{}, fmt.Errorf("a general name with the unknown tag %#x", uint8(tag))
	}
	name := generalName{kind, value}
	if kind == nameDirectory {
		if _, err := ParseName(value); err != nil {
			return generalName{}, err
		}
	}
	return name, nil
}

// constrainedNames are all names of a certificate that constraints apply to.
func constrainedNames(e *element) ([]generalName, error) {
	names, err := alternativeNames(e.cert)
	if err != nil {
		return nil, err
	}
	if !e.subject.Empty() {
		names = append(names, generalName{nameDirectory, e.cert.RawSubject})
	}
	for _, r := range e.subject.rdns {
		for _, a := range r.attributes {
			if a.oid == oidEmailAddress {
				names = append(names, generalName{nameEmail, []byte(a.text)})
			}
		}
	}
	return names, nil
}

// alternativeNames are the subjectAltNames of a certificate, of all kinds.
func alternativeNames(cert *x509.Certificate) ([]generalName, error) {
	value, present := extension(cert, oidSubjectAltName)
	if !present {
		return nil, nil
	}
	input := cryptobyte.String(value)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("malformed subjectAltName")
	}
	var names []generalName
	for !sequence.Empty() {
		name, err := readGeneralName(&sequence)
		if err != nil {
			return nil, fmt.Errorf("subjectAltName: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

// errConstraintWork is about more names and constraints than maxConstraintWork.
var errConstraintWork = errors.New("its names are too many for so many name constraints")

// allow checks every name: it must lie in no excluded subtree and, if there
// are permitted subtrees of its kind, in one of them. It adds to work what it
// compares.
func (c *constraints) allow(names []generalName, work *int) error {
	spend := func(name, base generalName) error {
		*work += 1 + (len(name.value)+len(base.value))/64
		if *work > maxConstraintWork {
			return errConstraintWork
		}
		return nil
	}
	for _, name := range names {
		for _, base := range c.excluded {
			if base.kind != name.kind {
				continue
			}
			if err := spend(name, base); err != nil {
				return err
			}
			inside, err := within(name, base, true)
			if err != nil {
				return err
			}
			if inside {
				return fmt.Errorf("%s lies in the excluded %s", name, base)
			}
		}
		limited, permitted := false, false
		for _, base := range c.permitted {
			if base.kind != name.kind {
				continue
			}
			limited = true
			if err := spend(name, base); err != nil {
				return err
			}
			inside, err := within(name, base, false)
			if err != nil {
				return err
			}
			permitted = permitted || inside
		}
		if limited && !permitted {
			return fmt.Errorf("%s lies in none of the permitted subtrees", name)
		}
	}
	return nil
}

// within reports whether a name lies in the subtree of a base of the same
// kind; for an excluded subtree also whether it might, as a wildcard. An
// error means that it cannot be told.
func within(name, base generalName, excluded bool) (bool, error) {
	switch name.kind {
	case nameDNS:
		return dnsWithin(strings.ToLower(string(name.value)), strings.ToLower(string(base.value)), excluded)
	case nameEmail:
		return emailWithin(string(name.value), string(base.value))
	case nameURI:
		return uriWithin(string(name.value), string(base.value))
	case nameIP:
		return ipWithin(name.value, base.value), nil
	case nameDirectory:
		subject, err := ParseName(name.value)
		if err != nil {
			return false, err
		}
		prefix, err := ParseName(base.value)
		if err != nil {
			return false, err
		}
		return subject.hasPrefix(prefix), nil
	default:
		return false, fmt.Errorf("constraints of the kind %s are not supported", generalNameKinds[name.kind])
	}
}

// dnsWithin: labels are added on the left; a leading dot asks for one at
// least.
func dnsWithin(host, base string, excluded bool) (bool, error) {
	if !validHost(strings.TrimPrefix(host, "*.")) {
		return false, fmt.Errorf("dNSName %s is not a host name", excerpt(host))
	}
	if domainWithin(host, base) {
		return true, nil
	}
	if parent, ok := strings.CutPrefix(host, "*."); ok && excluded {
		_, above, _ := strings.Cut(strings.TrimPrefix(base, "."), ".")
		return above == parent, nil
	}
	return false, nil
}

func domainWithin(host, base string) bool {
	switch {
	case base == "":
		return true
	case strings.HasPrefix(base, "."):
		return len(host) > len(base) && strings.HasSuffix(host, base)
	default:
		return host == base || strings.HasSuffix(host, "."+base)
	}
}

// emailWithin: the base is a mailbox, a host, or with a leading dot a domain.
func emailWithin(mailbox, base string) (bool, error) {
	at := strings.LastIndexByte(mailbox, '@')
	if at <= 0 || at == len(mailbox)-1 {
		return false, fmt.Errorf("rfc822Name %s is not a mailbox", excerpt(mailbox))
	}
	host := strings.ToLower(mailbox[at+1:])
	if i := strings.LastIndexByte(base, '@'); i >= 0 {
		return mailbox[:at] == base[:i] && host == strings.ToLower(base[i+1:]), nil
	}
	return hostOrDomain(host, strings.ToLower(base)), nil
}

// uriWithin: the base is a host, or with a leading dot a domain; a URI
// without a host name cannot be judged.
func uriWithin(uri, base string) (bool, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		return false, fmt.Errorf("URI %s has no host", excerpt(uri))
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return false, fmt.Errorf("URI %s has an address for a host", excerpt(uri))
	}
	return hostOrDomain(host, strings.ToLower(base)), nil
}

func hostOrDomain(host, base string) bool {
	if base == "" || strings.HasPrefix(base, ".") {
		return domainWithin(host, base)
	}
	return host == base
}

func ipWithin(address, base []byte) bool {
	half := len(base) / 2
	if len(address) != half {
		return false
	}
	network, mask := base[:half], base[half:]
	masked := make([]byte, half)
	wanted := make([]byte, half)
	for i := range half {
		masked[i] = address[i] & mask[i]
		wanted[i] = network[i] & mask[i]
	}
	return bytes.Equal(masked, wanted)
}
