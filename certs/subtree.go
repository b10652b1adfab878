package certs

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// mappedPrefix begins the IPv6 form of an IPv4 address, ::ffff:a.b.c.d (RFC
// 4291, section 2.5.5.2).
var mappedPrefix = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}

// normalBase checks the base of a constraint that is an address and a mask,
// and writes the IPv6 form of an IPv4 subtree as the subtree that it stands
// for.
func normalBase(base generalName) (generalName, error) {
	if base.kind != nameIP {
		return base, nil
	}
	half := len(base.value) / 2
	if half != 4 && half != 16 || len(base.value)%2 != 0 {
		return base, errors.New("an iPAddress that is no address and mask")
	}
	network, mask := base.value[:half], base.value[half:]
	ended := false
	for i := range 8 * half {
		set := mask[i/8]&(0x80>>(i%8)) != 0
		if set && ended {
			return base, errors.New("an iPAddress with a mask that is not contiguous")
		}
		ended = ended || !set
	}
	whole := bytes.Repeat([]byte{0xff}, len(mappedPrefix))
	if bytes.HasPrefix(network, mappedPrefix) && bytes.HasPrefix(mask, whole) {
		base.value = append(bytes.Clone(network[len(whole):]), mask[len(whole):]...)
	}
	return base, nil
}

// within reports whether a name lies in the subtree of a base of the same
// kind; for an excluded subtree also whether it might, as a wildcard or by
// another way to write it. An error means that it cannot be told.
func within(name, base generalName, excluded bool) (bool, error) {
	switch name.kind {
	case nameDNS:
		return dnsWithin(string(name.value), string(base.value), excluded)
	case nameEmail:
		return emailWithin(string(name.value), string(base.value))
	case nameURI:
		return uriWithin(string(name.value), string(base.value))
	case nameIP:
		return ipWithin(name.value, base.value, excluded)
	case nameDirectory:
		subject, err := dn.Parse(name.value)
		if err != nil {
			return false, err
		}
		prefix, err := dn.Parse(base.value)
		if err != nil {
			return false, err
		}
		return subject.Within(prefix), nil
	default:
		return false, fmt.Errorf("constraints of the kind %s are not supported", generalNameKinds[name.kind])
	}
}

// plainHost is a host name in lower case, without the dot at its end that
// means the same. It fails on what is no host name, such as an address in any
// of its forms: no subtree of names has it in or out.
func plainHost(host string) (string, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validHost(host) {
		return "", fmt.Errorf("%s is not a host name", dn.Excerpt(host))
	}
	return host, nil
}

// plainDomain is the base of a subtree of hosts as plainHost writes them; the
// whole tree is empty, and a dot at the start asks for one label more.
func plainDomain(base string) (string, error) {
	domain, dotted := strings.CutPrefix(base, ".")
	if domain == "" {
		return "", nil
	}
	domain, err := plainHost(domain)
	if err != nil {
		return "", fmt.Errorf("the subtree %w", err)
	}
	if dotted {
		domain = "." + domain
	}
	return domain, nil
}

// dnsWithin: labels are added on the left; a leading dot asks for one at
// least.
func dnsWithin(name, base string, excluded bool) (bool, error) {
	parent, wildcard := strings.CutPrefix(name, "*.")
	host, err := plainHost(parent)
	if err != nil {
		return false, fmt.Errorf("dNSName %w", err)
	}
	if base, err = plainDomain(base); err != nil {
		return false, err
	}
	if !wildcard {
		return domainWithin(host, base), nil
	}
	if domainWithin("*."+host, base) {
		return true, nil
	}
	_, above, _ := strings.Cut(strings.TrimPrefix(base, "."), ".")
	return excluded && above == host, nil
}

// domainWithin reports whether a host lies in the tree of plainDomain.
func domainWithin(host, base string) bool {
	switch {
	case base == "":
		return true
	case strings.HasPrefix(base, "."):
		return strings.HasSuffix(host, base) // longer: no host begins with a dot
	default:
		return host == base || strings.HasSuffix(host, "."+base)
	}
}

// emailWithin: the base is a mailbox, a host, or with a leading dot a domain.
func emailWithin(mailbox, base string) (bool, error) {
	at := strings.LastIndexByte(mailbox, '@')
	if at <= 0 || at == len(mailbox)-1 {
		return false, fmt.Errorf("rfc822Name %s is not a mailbox", dn.Excerpt(mailbox))
	}
	host, err := plainHost(mailbox[at+1:])
	if err != nil {
		return false, fmt.Errorf("rfc822Name %s: %w", dn.Excerpt(mailbox), err)
	}
	if i := strings.LastIndexByte(base, '@'); i >= 0 {
		other, err := plainHost(base[i+1:])
		if err != nil {
			return false, fmt.Errorf("the subtree %w", err)
		}
		return mailbox[:at] == base[:i] && host == other, nil
	}
	return hostOrDomain(host, base)
}

// uriWithin: the base is a host, or with a leading dot a domain; a URI
// without a host name cannot be judged.
func uriWithin(uri, base string) (bool, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		return false, fmt.Errorf("URI %s has no host", dn.Excerpt(uri))
	}
	host, err := plainHost(u.Hostname())
	if err != nil {
		return false, fmt.Errorf("URI %s: %w", dn.Excerpt(uri), err)
	}
	return hostOrDomain(host, base)
}

func hostOrDomain(host, base string) (bool, error) {
	domain, err := plainDomain(base)
	if err != nil {
		return false, err
	}
	if domain == "" || strings.HasPrefix(domain, ".") {
		return domainWithin(host, domain), nil
	}
	return host == domain, nil
}

// ipWithin compares an address with a base that normalBase has seen. The IPv6
// form of an IPv4 address proves that one, see Identity: as it, it must be
// permitted, and either may be excluded.
func ipWithin(value, base []byte, excluded bool) (bool, error) {
	address, ok := netip.AddrFromSlice(value)
	if !ok {
		return false, fmt.Errorf("an iPAddress of %d bytes is none", len(value))
	}
	if masked(address.Unmap().AsSlice(), base) {
		return true, nil
	}
	return excluded && masked(value, base), nil
}

// masked reports whether an address lies in the subtree of an address and a
// mask, which is of the same family then.
func masked(address, base []byte) bool {
	half := len(base) / 2
	if len(address) != half {
		return false
	}
	network, mask := base[:half], base[half:]
	for i := range half {
		if (address[i]^network[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}
