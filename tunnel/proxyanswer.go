package tunnel

import (
	"encoding/binary"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// answerReader finds the error by which a MySQL server refuses a login in what it
// sends first: packets of three bytes of length, a number, and the payload ("Protocol
// Basics" of MySQL's source code documentation). It gives up where a login has
// succeeded, and where packets are long, as where MySQL's own TLS begins. The zero
// value is ready for the first byte.
type answerReader struct {
	text    []byte // what has come of the next packet
	packets int
	over    bool
}

// How far the answer to a login can be: after the greeting, and two packets about how
// to log in. None of them is long.
const (
	answerPackets = 4
	answerBytes   = 1 << 10
	packetHeader  = 4

	packetOK    = 0x00
	packetError = 0xff
)

// read takes the next bytes and gives the error that ends in them; number 0: none does.
func (a *answerReader) read(data []byte) (number uint16, message string) {
	if a.over {
		return 0, ""
	}
	a.text = append(a.text, data[:min(len(data), answerPackets*answerBytes)]...)
	for payload, ok := a.next(); ok; payload, ok = a.next() {
		switch {
		case len(payload) > 2 && payload[0] == packetError:
			a.end()
			if number = binary.LittleEndian.Uint16(payload[1:]); number != 0 {
				message = withoutState(string(payload[3:]))
			}
			return number, message
		case a.packets > 1 && len(payload) > 0 && payload[0] == packetOK, a.packets == answerPackets:
			a.end()
		}
	}
	return 0, ""
}

// next takes the payload of the next packet, if all of it has come.
func (a *answerReader) next() (payload []byte, ok bool) {
	if len(a.text) < packetHeader {
		return nil, false
	}
	length := int(a.text[0]) | int(a.text[1])<<8 | int(a.text[2])<<16
	if length > answerBytes {
		a.end()
		return nil, false
	}
	if len(a.text) < packetHeader+length {
		return nil, false
	}
	payload, a.text = a.text[packetHeader:packetHeader+length], a.text[packetHeader+length:]
	a.packets++
	return payload, true
}

// end has it look no further.
func (a *answerReader) end() { a.over, a.text = true, nil }

// withoutState is an error's message without the SQLSTATE before it.
func withoutState(message string) string {
	const state = len("#HY000")
	if strings.HasPrefix(message, "#") && len(message) >= state {
		return message[state:]
	}
	return message
}

// The errors by which servers refuse what they are told, or whom.
const (
	errorAccessDenied = 1045
	errorHost         = 1130 // no account for its address; or MariaDB takes no header from this host
	errorPacketOrder  = 1156 // MySQL, which takes the header for a packet
)

// answerInspector looks at how a target answers what the PROXY protocol told it. Its
// refusal goes on to the peer, which can do little about it; so it is noted here, with
// what to do. The target has seen the address of the connection's origin.
func (t *Tunnel) answerInspector(in inbound, target Address) func([]byte) error {
	var answer answerReader
	return func(data []byte) error {
		number, message := answer.read(data)
		if cure := answerCure(number, message); cure != "" {
			t.refuse(in, CodeTargetRefused, "the target said: "+message, cure, zap.Stringer("target", target))
		}
		return nil
	}
}

// answerCure is what to do about a refusal; empty if it may have nothing to do with the
// PROXY protocol.
func answerCure(number uint16, message string) string {
	switch {
	case number == errorPacketOrder:
		return "remove proxy-protocol: MySQL does not know the PROXY protocol, MariaDB does"
	case number == errorHost && strings.HasPrefix(message, "Proxy header is not accepted"):
		return "in the option files of MariaDB set proxy_protocol_networks=127.0.0.1, or localhost for its socket; " +
			"or remove proxy-protocol here"
	case number != errorHost && number != errorAccessDenied:
	case !namesOwnHost(message):
		return "with proxy-protocol an account must be for the address of the peer, not for 127.0.0.1: " +
			"make it for that, or remove proxy-protocol, as for gtunnel replication"
	}
	return ""
}

// namesOwnHost reports whether a target says that a login came from this host, as it does
// where it has not read the header: MySQL, before it does so, of hosts that it has no
// account for. MariaDB says the peer's address, or the name of that.
func namesOwnHost(message string) bool {
	return slices.ContainsFunc([]string{"'127.0.0.1'", "'::1'", "'localhost'"},
		func(host string) bool { return strings.Contains(message, host) })
}
