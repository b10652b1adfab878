// Package tunnel carries byte streams between two hosts inside TLS.
//
// A [Tunnel] of role Server accepts TLS and connects to a plain target; one of
// role Client accepts plain connections and connects to a Server elsewhere.
// The life of a connection: accept, handshake under a deadline, verification
// of the peer (package certs), dial of the target, relay, close with a
// reason. A server never touches its target before the peer is verified; a
// client resets its local side at once when the far side breaks.
package tunnel
