// Package failover changes who of a pair is the master: the guard beside each server,
// promote, switchover and rejoin.
//
// It goes the way of package replication: what is true of the own server and, as far as
// it answers, of the peer is read; a plan is a pure function of that and of what is
// wanted; the plan is shown and carried out. Who may be written to is judged by
// term.Decide alone. All statements go through package server, all notes through
// term.Store, all waits through the time package, so that a simulation runs this very
// code through every crash, lost reply and cut.
//
// # The guard
//
// Once every term.Look, and at once when the file of the note was changed, it reads its
// own server by the socket and its peer's record through the tunnel, asks term.Decide,
// and does what that says: Guard.Look is one such round. It alone makes a server
// writable, after its start as well: the option files of both hosts say read_only in
// every role. It starts the slave when the master answers; skip_slave_start is on both.
//
// # A switchover, on the slave, which becomes the master
//
//  1. It checks both, tries the logins of both directions, and waits until the slave is
//     close behind.
//  2. The Request goes into its Note and its row: number and nonce of the new term.
//  3. The old master's guard reads it and demotes its server: events off, read_only (MySQL:
//     super_read_only), sessions with open transactions of accounts that write all the
//     same ended, the Demotion into the Note, then the row; on MariaDB FLUSH TABLES WITH
//     READ LOCK. It reads its position until two readings are equal, and then takes the
//     lock DemotionLock(nonce), by the session that has the read lock.
//  4. The slave sees that lock by IS_USED_LOCK, reads the position twice, waits until it
//     has applied all before it, sees the lock once more, and stops its slave.
//  5. In one write of the Note the Request becomes the Term. Before, everything can be
//     taken back by withdrawing the Request, which the old master's guard takes back
//     once it has read that, and not otherwise; afterwards, nothing.
//  6. The row is published, RESET SLAVE ALL, and the server made writable.
//  7. The old master's guard reads the new term, releases its locks, stays read-only, and
//     makes its server the slave of the new master.
//
// A process that is killed is gone on with by the same command. If nobody runs it, the
// guard withdraws the Request.
//
// # A promotion, on the slave, when the master cannot be reached
//
//  1. The peer must be silent on every way for SilentFor, or it is life, and the way is
//     switchover. That it is fenced must be stated besides.
//  2. Received is applied: the I/O thread alone is stopped; the relay log is never
//     thrown away. What may be lost is said before.
//  3. The hooks fence and pre-promote; the Request becomes the Term as above; published;
//     term.Announce is waited for.
//  4. RESET SLAVE ALL, sequences beyond what was seen, writable, events, post-promote.
//
// # The way back of the old master
//
// Its guard reads the higher term, and makes it read-only. After a switchover it follows
// at once. After a promotion rejoin compares the histories, saves what the old master
// has alone, and makes it a slave, by its history or by a new copy.
package failover
