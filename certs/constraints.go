package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
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

var generalNameKinds = []string{
	"otherName", "rfc822Name", "dNSName", "x400Address", "directoryName", "ediPartyName", "URI", "iPAddress",
	"registeredID",
}

// generalName is a name of a certificate or the base of a constraint.
type generalName struct {
	kind  int
	value []byte // content; of a directoryName the whole Name
}

// String shows the name in messages.
func (g generalName) String() string {
	value := dn.Excerpt(g.value)
	switch g.kind {
	case nameDirectory:
		if name, err := dn.Parse(g.value); err == nil {
			value = name.Brief()
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
		if depth > 0 {
			s.permit(depth, func() LinkCheck { return LinkCheck{Text: "it has none"} })
		}
		return nil
	}
	limits, err := parseConstraints(value)
	if err != nil {
		r := refuse(ca, depth, CodeNameConstraints, "its name constraints cannot be applied: %v", err)
		r.Cure = "The CA's own certificate is at fault: " +
			"the peer needs a certificate of another CA, unless this one is issued anew."
		return r
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
				names = append(names, generalName{kind: nameDNS, value: []byte(host)})
			}
		}
		var violation string
		if err == nil {
			violation, err = limits.violation(names, &s.compared)
		}
		var r *Refusal
		switch {
		case errors.Is(err, errConstraintWork):
			r = refuse(e, below, CodeTooMuchWork, "%v: those of %s%s", err, ca.subject.Brief(), ca.source())
			r.Cure = "Ask the CA for a certificate with fewer names."
			return r
		case err != nil:
			r = refuse(e, below, CodeNameConstraints, "the name constraints of %s%s cannot be applied to it: %v",
				ca.subject.Brief(), ca.source(), err)
			r.Cure = "Ask the CA for a certificate without this name."
		case violation != "":
			r = refuse(e, below, CodeNameConstraints, "the name constraints of %s%s forbid it: %s", ca.subject.Brief(),
				ca.source(), violation)
		default:
			continue
		}
		r.File, r.Line = ca.file, ca.line
		return r
	}
	s.permit(depth, func() LinkCheck {
		return LinkCheck{Text: "they allow every name below it", File: ca.file, Line: ca.line}
	})
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
	}{{der: permitted, into: &c.permitted}, {der: excluded, into: &c.excluded}} {
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
			if base, err = normalBase(base); err != nil {
				return nil, err
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
	name := generalName{kind: kind, value: value}
	if kind == nameDirectory {
		if _, err := dn.Parse(value); err != nil {
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
		names = append(names, generalName{kind: nameDirectory, value: e.cert.RawSubject})
	}
	for _, address := range e.subject.Emails() {
		names = append(names, generalName{kind: nameEmail, value: []byte(address)})
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

// violation says which name lies in an excluded subtree or, where there are
// permitted subtrees of its kind, in none of them; empty if none does. It adds
// to work what it compares. An error means that it cannot be told.
func (c *constraints) violation(names []generalName, work *int) (string, error) {
	within := func(name, base generalName, excluded bool) (bool, error) {
		*work += 1 + (len(name.value)+len(base.value))/64
		if *work > maxConstraintWork {
			return false, errConstraintWork
		}
		return within(name, base, excluded)
	}
	for _, name := range names {
		for _, base := range c.excluded {
			if base.kind != name.kind {
				continue
			}
			inside, err := within(name, base, true)
			if err != nil {
				return "", err
			}
			if inside {
				return fmt.Sprintf("%s lies in the excluded %s", name, base), nil
			}
		}
		limited, permitted := false, false
		for _, base := range c.permitted {
			if base.kind != name.kind {
				continue
			}
			limited = true
			inside, err := within(name, base, false)
			if err != nil {
				return "", err
			}
			permitted = permitted || inside
		}
		if limited && !permitted {
			return fmt.Sprintf("%s lies in none of the permitted subtrees", name), nil
		}
	}
	return "", nil
}
