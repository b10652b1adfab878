package tunnel

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// addressForms ends every error about an address.
const addressForms = "write port, :port, host:port, [v6]:port or unix:/path"

// maxUnixPath is what fits into sun_path of unix(7) with its final NUL.
const maxUnixPath = 107

// Address is a place to listen at or to connect to: a TCP host and port, or a
// unix socket. Its text forms are port, :port, host:port, [v6]:port and
// unix:/path. It implements encoding.TextMarshaler and TextUnmarshaler.
//
// The host localhost always means 127.0.0.1, never ::1, because MySQL tells
// accounts apart by the address that a connection comes from. To listen at an
// IPv4 address is to listen by IPv4 only, 0.0.0.0 too; at an IPv6 address, [::]
// too, by IPv6 only. Without a host it is both.
type Address struct {
	Network string // "tcp" or "unix"
	Host    string // tcp: name or IP address, without brackets; empty means any (listen) or 127.0.0.1 (connect)
	Port    string // tcp: 1 to 65535; 0 to listen on a free one
	Path    string // unix: the absolute path
}

// ParseAddress reads any of the text forms. The error says what is wrong and
// shows the forms.
func ParseAddress(text string) (Address, error) {
	var address Address
	var problem string
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		address, problem = parseUnix(path)
	} else {
		address, problem = parseTCP(text)
	}
	if problem != "" {
		return Address{}, fmt.Errorf("address %q: %s; %s", text, problem, addressForms)
	}
	return address, nil
}

// parseUnix reads the path of a unix socket; problem is empty if it is sound.
func parseUnix(path string) (address Address, problem string) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return Address{}, "the path of a unix socket must be absolute"
	case strings.HasSuffix(path, "/"):
		return Address{}, "the path of a unix socket must name a file"
	case strings.ContainsRune(path, 0):
		return Address{}, "a path cannot hold a NUL byte"
	case len(path) > maxUnixPath:
		return Address{}, fmt.Sprintf("the path of a unix socket cannot be longer than %d bytes", maxUnixPath)
	}
	return Address{Network: "unix", Path: path}, ""
}

// parseTCP reads a host and port; problem is empty if they are sound.
func parseTCP(text string) (address Address, problem string) {
	host, port := "", text
	switch {
	case text == "":
		return Address{}, "it is empty"
	case strings.Contains(text, "://"):
		return Address{}, "it is a URL"
	case strings.HasPrefix(text, "/"):
		return Address{}, "a path needs unix: before it"
	case strings.HasPrefix(text, "["):
		var found bool
		if host, port, found = strings.Cut(text[1:], "]:"); !found {
			return Address{}, "no port after the bracket"
		}
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return Address{}, "what is in brackets is not an IPv6 address"
		}
	case strings.Count(text, ":") > 1:
		return Address{}, "an IPv6 address needs brackets"
	case strings.Contains(text, ":"):
		host, port, _ = strings.Cut(text, ":")
		if problem := checkHost(host); problem != "" {
			return Address{}, problem
		}
	case !isNumber(text):
		return Address{}, "it has no port"
	}
	if !isNumber(port) {
		return Address{}, fmt.Sprintf("the port %q is not a number", port)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, fmt.Sprintf("the port %s is above 65535", port)
	}
	return Address{Network: "tcp", Host: host, Port: strconv.FormatUint(number, 10)}, ""
}

// checkHost says what is wrong with a host that is no IPv6 address, or
// nothing. The empty host is sound.
func checkHost(host string) (problem string) {
	if host == "" {
		return ""
	}
	if host == "*" {
		return "every address is written without a host"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	if strings.Trim(host, "0123456789.") == "" {
		return fmt.Sprintf("%q is neither an IP address nor a host name", host)
	}
	if len(host) > 253 {
		return "a host name cannot be longer than 253 bytes"
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.Trim(label, hostNameBytes) != "" {
			return fmt.Sprintf("%q is not a host name", host)
		}
	}
	return ""
}

// hostNameBytes is what host names are made of. The underscore is not in RFC
// 1123, but container names have it.
const hostNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// isNumber reports whether text is ASCII digits and nothing else.
func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// String is the address in the form that ParseAddress reads. The zero value
// gives the empty string.
func (a Address) String() string {
	switch a.Network {
	case "":
		return ""
	case "unix":
		return "unix:" + a.Path
	default:
		return net.JoinHostPort(a.Host, a.Port)
	}
}

// MarshalText gives the same form as String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads any of the forms that ParseAddress reads.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// IsLoopback reports whether no other host can listen in on what goes to the
// address: a unix socket, localhost or a loopback IP address. Another name is
// not loopback, whatever it resolves to, because that can change. An empty
// host is not loopback either.
func (a Address) IsLoopback() bool {
	if a.Network == "unix" || isLocalhost(a.Host) {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Overlaps reports whether two listeners would fight for a place. Port 0 is a
// free one, and names are not resolved.
func (a Address) Overlaps(b Address) bool {
	return a.sharesPort(b) && (covers(a.Host, b.Host) || covers(b.Host, a.Host))
}

// Reaches reports whether a connection to a arrives at a listener at accept on
// this host. Names other than localhost are not resolved, and addresses of
// this host's network are not told from those of others, so it can miss one
// that does.
func (a Address) Reaches(accept Address) bool {
	if !a.sharesPort(accept) || a.Network == "unix" {
		return a.sharesPort(accept)
	}
	host := a.Host
	ip, _ := listenIP(host)
	switch { // where the system connects to
	case host == "", ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case ip == netip.IPv6Unspecified():
		host = "::1"
	}
	if isWildcard(accept.Host) {
		ip, isIP := listenIP(host)
		return isIP && ip.IsLoopback() && covers(accept.Host, host)
	}
	return covers(accept.Host, host)
}

// sharesPort reports whether a and b are the same socket, or the same port of
// perhaps different hosts.
func (a Address) sharesPort(b Address) bool {
	if a.Network != b.Network || a.Network == "" {
		return false
	}
	return a.Path == b.Path && a.Port == b.Port && a.Port != "0"
}

// covers reports whether what listens at a host listens at the other, too.
func covers(host, other string) bool {
	if host == "" || strings.EqualFold(strings.TrimSuffix(host, "."), strings.TrimSuffix(other, ".")) {
		return true
	}
	ip, isIP := listenIP(host)
	otherIP, otherIsIP := listenIP(other)
	switch {
	case !isIP || !ip.IsUnspecified():
		return isIP && otherIsIP && ip == otherIP
	default:
		return !otherIsIP || otherIP.Is4() == ip.Is4()
	}
}

// listenIP is the IP address that a host stands for, and reports whether it is
// one: a name may have to be resolved.
func listenIP(host string) (netip.Addr, bool) {
	if isLocalhost(host) {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	return ip.Unmap(), err == nil
}

// isWildcard reports whether a listener at host takes what comes to any address.
func isWildcard(host string) bool {
	ip, isIP := listenIP(host)
	return host == "" || isIP && ip.IsUnspecified()
}

// isLocalhost reports whether host is the special name of RFC 6761, section 6.3.
func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// ForListen is where package net listens for the address: network tcp4 and tcp6
// are one family only, tcp without a host is both where the system has both.
func (a Address) ForListen() (network, address string) {
	if a.Network == "unix" {
		return "unix", a.Path
	}
	network, host := "tcp", a.Host
	if ip, isIP := listenIP(host); isIP {
		network, host = "tcp6", ip.String()
		if ip.Is4() {
			network = "tcp4"
		}
	}
	return network, net.JoinHostPort(host, a.Port)
}

// bound is the text of the address once it is bound: with the port that was
// chosen and the IP address of a name. An address without a host stays so:
// package net calls it [::], which here means IPv6 only.
func (a Address) bound(to net.Addr) string {
	tcp, ok := to.(*net.TCPAddr)
	switch {
	case !ok:
		return a.String()
	case a.Host == "":
		return net.JoinHostPort("", strconv.Itoa(tcp.Port))
	}
	return tcp.String()
}

// ForDial is what package net dials for the address: an empty host is this host.
func (a Address) ForDial() (network, address string) {
	if a.Network == "unix" {
		return "unix", a.Path
	}
	if a.Host == "" || isLocalhost(a.Host) {
		a.Host = "127.0.0.1"
	}
	return "tcp", net.JoinHostPort(a.Host, a.Port)
}
