// Package server is one login to one MySQL or MariaDB server. It alone speaks the
// dialects: versions, quoting, statements with the passwords in them, positions
// and GTIDs, the status of a slave, locks, and the waits for what a server does.
//
// Every session is alike: no sql_mode, UTC, autocommit. Errors of a server come
// as a finding.Problem with its cure. A Password prints as stars, and a
// Statement shows its passwords as stars.
package server
