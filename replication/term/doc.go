// Package term says who of a pair is the master, and decides what a host of a pair
// does about it.
//
// A pair is two hosts that can take either role. Who is the master is a Term. The
// truth is a Note, which each host keeps in a file outside the data directory; of it,
// a Record is published in a table of the host's own server, where the other host
// reads it through the tunnel.
//
// Decide is the only judge of when a server may be written to: a pure function of what
// a host has noted, what its server says, what it has heard of its peer, and how long
// that is ago. The guard and the commands of a failover all ask it.
//
// What holds at any time, whatever is killed or cut:
//
//   - Only a promotion and a switchover raise a term, each by a nonce of its own, and
//     only the host that becomes the master by it does so.
//   - A term is in the file before it is published, and published before its server is
//     writable.
//   - A server is read-only from its start until the guard makes it writable.
//   - A host that reads a higher term than its own takes it, and is read-only.
package term
