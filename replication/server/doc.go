// Package server is one login to one MySQL or MariaDB server. It is the only room
// that speaks their dialects: versions, quoting, statements with passwords in
// them, positions and GTIDs, the status of a slave, the lock that keeps two runs
// apart, and the waits for what a server does.
//
// Every session is alike: no sql_mode, UTC, autocommit, no end because of silence.
// Errors of a server come as a finding.Problem with its cure. Passwords are stars
// wherever a Password, a Statement or an error is printed. An Execer is the session
// that a method asks by, or the whole Server.DB.
package server
