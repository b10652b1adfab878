// Package replication sets MySQL and MariaDB replication up through a tunnel,
// watches it and compares its two ends.
//
// It goes one way: what is true of a server is read into Facts; a plan is made
// of the facts of both ends and of what is wanted, without asking anybody
// anything; the plan is applied step by step. A plan is a list of steps, each
// with the exact SQL, the reason and the way back, so it can be shown before
// anything happens; what is as it should be already makes no step, so that a
// second run has nothing to do.
//
// The servers are reached by addresses of this host: the slave's by its socket
// or port, the master's by the plain end of a tunnel. The package knows nothing
// of TLS.
//
// Nothing here restarts a server, resets a binary log, skips an error of the
// replication, touches a channel (MySQL) or a named connection (MariaDB) other
// than the default one, or writes a file that it has not made. Passwords are of
// the type Password, which prints as stars, and reach the servers' own tools by
// a descriptor, never by an argument or the environment.
package replication
