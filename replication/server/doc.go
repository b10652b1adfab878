// Package server is one login to one MySQL or MariaDB server. It is the only room
// that speaks their dialects: versions, quoting, statements with passwords in
// them, positions and GTIDs, the status of a slave, the lock that keeps two runs
// apart, and the waits for what a server does.
//
// Every session is alike: no sql_mode, so that quoting is what it seems; UTC;
// autocommit; no end because of silence. Errors of a server come as a
// finding.Problem with its cure. Passwords are shown as stars wherever a Password,
// a Statement or an error is printed.
//
// Methods that take an Execer ask by that session, or by any if they are given
// DB. They may be called concurrently as far as their session may.
package server
