package replication

import "strconv"

// cause is an error of a server in plain words, with what to do about it.
type cause struct{ words, cure string }

// causes are the errors that replication through a tunnel meets, by number. In
// text, a slave's errors hold more detail: explainSlaveError.
var causes = map[int]cause{
	1045: {"the password is wrong, or there is no account for 127.0.0.1", "on the master: SELECT user, host FROM mysql.user; the tunnel connects from 127.0.0.1"},
	1129: {"the master blocks this host after connections that ended without a login, often a port check", "on the master: FLUSH HOSTS (or mysqladmin flush-hosts), and let checks log in"},
	1142: {"a privilege is missing", "log in with an account that has it, or grant it"},
	1044: {"the account has no rights on this database", "log in with an account that has them, or grant them"},
	1200: {"replication is not set up on this server", "gtunnel replication setup-slave"},
	1205: {"a lock was not given in time", "look who holds it: SHOW PROCESSLIST; then run this again"},
	1227: {"a privilege is missing", "log in with an account that has the privilege that the message names, such as root"},
	1236: {"the master cannot send what the slave asks for", "see the text: a purged or reset binary log wants a new seed: gtunnel replication setup-slave"},
	1275: {"the account has a password in the old format", "on the master: ALTER USER ... IDENTIFIED BY with the password itself, not a hash"},
	1290: {"the server is read-only, as a slave should be", "write on the master"},
	1524: {"the account's authentication plugin is turned off on the server", "give the account another plugin"},
	1593: {"both servers have the same server_id or UUID, as cloned machines do", "give the slave a server_id of its own; on MySQL remove auto.cnf from its data directory and restart it"},
	1062: {"a row is on the slave already: somebody wrote there, or the start position was wrong", "gtunnel replication compare; reseed the table with --repair-table; never skip the error"},
	1032: {"a row that the master changed is not on the slave: somebody wrote there, or the start position was wrong", "gtunnel replication compare; reseed the table with --repair-table; never skip the error"},
	1146: {"a table that the master changed is not on the slave", "gtunnel replication compare; reseed the table with --repair-table"},
	1872: {"the slave cannot read its own position or relay log", "gtunnel replication setup-slave seeds anew"},
	2002: {"nothing listens there", "is the server running?"},
	2003: {"nothing listens at the local end of the tunnel", "start it: systemctl status gtunnel-client; gtunnel status"},
	2005: {"the name of the master cannot be resolved", "the slave must connect to 127.0.0.1, the local end of the tunnel: gtunnel replication setup-slave"},
	2013: {"the far end closed the connection", "gtunnel status and the logs of both ends of the tunnel say why"},
	2026: {"the slave wants TLS inside the tunnel, which the master does not speak there", "gtunnel replication setup-slave sets MASTER_SSL=0 and MASTER_SSL_VERIFY_SERVER_CERT=0"},
	2055: {"the far end closed the connection", "gtunnel status and the logs of both ends of the tunnel say why"},
	2059: {"the slave lacks the plugin with which the account proves itself", "on the master give the account a plugin that the slave has, such as mysql_native_password; MySQL 9 has none that MariaDB can use"},
	2061: {"caching_sha2_password needs the master's public key once the master has been restarted", "gtunnel replication setup-slave sets GET_SOURCE_PUBLIC_KEY=1"},
	3154: {"another channel exists and the statement does not name one", "name the channel"},
}

// cureOf gives what to do about an error number; empty if there is nothing to
// say.
func cureOf(number int, on Role) string {
	if number == 1045 && on == Slave {
		return "is the password right, and does the account exist on this server? Give them with --user and --password-file, or in an option file"
	}
	return causes[number].cure
}

// words gives an error number in plain words; empty if there are none.
func words(number int) string { return causes[number].words }

// errorNumber is a server's error number as text.
func errorNumber(number int) string { return "error " + strconv.Itoa(number) }
