package tunnel

import "errors"

// helloDetector tells a TLS ClientHello at the beginning of a stream. The
// first six bytes decide (RFC 8446, section 5.1): a handshake record (22) of
// version 3.0 to 3.4, two bytes of length, and the message client_hello (1).
// No MySQL packet begins so: the sixth byte of a handshake response would be
// the second of its capability flags, where CLIENT_PROTOCOL_41 (2) is set.
//
// It judges what has come and holds nothing back: a hello that arrives in
// pieces is known only when its sixth byte is there. The zero value is ready
// for the first byte.
type helloDetector struct {
	seen int // bytes that fit so far; helloLength or more: decided
}

const helloLength = 6

// detect reads the next bytes of the stream and reports whether they complete
// the beginning of a ClientHello.
func (d *helloDetector) detect(data []byte) bool {
	for _, b := range data {
		if d.seen >= helloLength {
			return false
		}
		if !helloByte(d.seen, b) {
			d.seen = helloLength
			return false
		}
		if d.seen++; d.seen == helloLength {
			return true
		}
	}
	return false
}

// helloByte reports whether b can stand at a position of a ClientHello.
func helloByte(position int, b byte) bool {
	switch position {
	case 0:
		return b == 22
	case 1:
		return b == 3
	case 2:
		return b <= 4
	case 5:
		return b == 1
	default:
		return true
	}
}

// plainInspector stops a program that speaks TLS to the plain port before any
// of it is carried.
func (t *Tunnel) plainInspector(in inbound) func([]byte) error {
	var hello helloDetector
	return func(data []byte) error {
		if !hello.detect(data) {
			return nil
		}
		t.refuse(in, CodeTLSOnPlainPort, errTLSOnPlainPort.Error(),
			"let the program connect to this port without TLS (mysql --ssl-mode=DISABLED, "+
				"mariadb --skip-ssl): the tunnel encrypts")
		return errTLSOnPlainPort
	}
}

var errTLSOnPlainPort = errors.New("the local side speaks TLS, but this is the plain end of the tunnel")
