// Package tunnel carries byte streams between two hosts inside TLS.
//
// The walk of a connection, with the files that have it:
//
//   - accept takes it and gives it a place among the handshakes (places, sources);
//     a handshake reads a wire, and computes in turns (turns, processors).
//   - server: when package certs has accepted the peer, its session enters the
//     table (session), and only then a target is dialled (dial, dead). client: the
//     server is dialled and judged first, and the session has it as its peer.
//   - relay carries bytes both ways (stream, batch, buffer): an end is passed on,
//     and a failure resets both sides, so that it never looks like an end.
//   - judge has package certs look at the peer again when files, time or clock
//     change, and closes the session of one that is accepted no more.
//   - It is closed with a reason, which verdict, log, status and metrics tell.
//
// A [Tunnel] of role Server accepts TLS and connects to a plain target; one of
// role Client accepts plain connections and connects to a Server elsewhere.
package tunnel
