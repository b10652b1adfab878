package certs

import "net"

// maxFlight is how many octets a peer may send in a handshake before this end
// answers: a ClientHello with a ticket in it (64 KiB at most), or certificates
// and what goes with them, and maxReadAhead of the data that follow.
// crypto/tls would hold a message of 256 KiB otherwise.
const (
	maxFlight    = maxSentBytes + maxReadAhead + 8<<10
	maxReadAhead = 16 << 10
)

// observedConn keeps the first octets that a connection receives, to tell
// what the other end speaks when it is not TLS, and bounds those of a
// handshake before crypto/tls holds them.
type observedConn struct {
	net.Conn
	received [64]byte
	n        int
	flight   int  // octets that came since this end has written
	done     bool // the handshake is over
}

// Read is the connection's Read. In a handshake the error may be a *Refusal.
func (c *observedConn) Read(p []byte) (int, error) {
	if c.done {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(len(p), maxReadAhead)])
	if c.n < len(c.received) && n > 0 {
		c.n += copy(c.received[c.n:], p[:n])
	}
	if c.flight += n; c.flight > maxFlight {
		return 0, refuse(nil, 0, CodeTooMuchWork,
			"the peer sent more than %d bytes without waiting for an answer in the handshake, "+
				"more than any sound chain of certificates takes", maxFlight)
	}
	return n, err
}

// Write is the connection's Write.
func (c *observedConn) Write(p []byte) (int, error) {
	if !c.done {
		c.flight = 0
	}
	return c.Conn.Write(p)
}

func (c *observedConn) first() []byte { return c.received[:c.n] }
