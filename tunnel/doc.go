// Package tunnel carries byte streams between two hosts inside TLS.
//
// The walk of a connection, and the files that have it:
//
//   - accept takes it, and gives it a place among the handshakes (places,
//     sources); the handshake computes in turns (turns, processors) on a wire;
//   - package certs judges the peer: openServer (server) does so before it dials
//     a target, openClient (client) dials and judges its server (dial, dead);
//   - a session enters the table, and relay carries bytes both ways (relay,
//     stream, batch, buffer), each end passed on, a failure by a reset of both;
//   - judge looks at the peer again when trust, clock or time change;
//   - it is closed with a reason; verdict, log, status and metrics tell of it.
//
// A [Tunnel] of role Server accepts TLS and connects to a plain target; one of
// role Client accepts plain connections and connects to a Server elsewhere.
package tunnel
