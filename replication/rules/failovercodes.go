package rules

import "slices"

// failing are the commands of a failover.
const failing = Promote | Switchover | Rejoin | Guarding

// failoverCodes are the codes of what is found of a pair: by the judge of its term, its
// guard, and the commands that change who is the master.
var failoverCodes = slices.Concat(termCodes, readOnlyCodes, switchoverCodes, promoteCodes, rejoinCodes, alsoFailing,
	followCodes)

// termCodes are of the term.
var termCodes = []Code{
	{
		Code: "term-unknown", At: failing, Meaning: "this host does not know who of the pair is the master",
		Cure: "bring the other host and the tunnel to it up: the guard reads the term there",
	},
	{
		Code: "split-brain", At: failing, Meaning: "both hosts say that they are the master, by terms of the same number",
		Cure: "gtunnel replication status on both says what differs and how to choose",
	},
	{
		Code: "own-row", At: Rejoin | Guarding, Meaning: "the row that is read of the other host is this host's own",
		Cure: "the tunnel leads back here, or one host is a copy of the other: its pair.json is moved away there",
	},
	{
		Code: "terms-differ", At: Switchover, Meaning: "the hosts of the pair know different terms",
		Cure: "the guards agree within seconds; systemctl status gtunnel-guard on both",
	},
	{
		Code: "pair-note", At: failing, Meaning: "what this host notes of the pair cannot be read or written",
		Cure: "as it says; a damaged file is moved away, and the guard reads the term of the other host",
	},
	{
		Code: "pair-table", At: failing, Meaning: "the row of a host in gtunnel.pair cannot be read",
		Cure: "run both setup commands again; or restart the guard there",
	},
	{
		Code: "pair-changed", At: failing, Meaning: "somebody changes who is the master at the same time",
		Cure: "run it again",
	},
	{
		Code: "changed", At: failing, Meaning: "what was decided does not hold any more: the note of the term has changed",
		Cure: "run it again",
	},
	{Code: "is-master", At: failing, Meaning: "this host is the master already"},
	{
		Code: "not-master", At: Guarding | SetupMaster, Meaning: "the other host of the pair is the master",
		Cure: "run it there",
	},
	{
		Code: "of-another-pair", At: Guarding, Meaning: "the row that is read of the other host is of a third one",
		Cure: "the tunnel leads elsewhere: [pair] hosts in gtunnel.toml, and the names of the hosts in DNS",
	},
	{
		Code: "is-demoted", At: Guarding, Meaning: "this host has made itself read-only for a switchover",
		Cure: "bring the other host up; if it is lost, its note tells whether it became the master",
	},
	{
		Code: "stands-aside", At: Promote | Switchover, Meaning: "this host has promised not to become the master",
		Cure: "gtunnel replication guard --stand-by",
	},
	{
		Code: "request-ended", At: Promote | Switchover, Meaning: "the request of this command was withdrawn meanwhile",
		Cure: "run it again",
	},
	{Code: "raised", At: Switchover, Meaning: "the request has become the term, and cannot be taken back"},
	{
		Code: "semi-sync-version", At: SetupSlave,
		Meaning: "the server is too old for semi-synchronous replication as gtunnel does it",
		Cure:    "leave --semi-sync out",
	},
}

// readOnlyCodes are why a server of a pair is not writable, or not a slave.
var readOnlyCodes = []Code{
	{
		Code: "announcing", At: Promote | Switchover | Guarding,
		Meaning: "the new term must stand published for a moment before the server is writable",
	},
	{
		Code: "awaits-cluster", At: Guarding, Meaning: "this master is read-only until the cluster manager promotes it",
		Cure: "pcs status, or crm status, says why it does not; in its maintenance mode: " +
			"gtunnel replication promote --cluster",
	},
	{
		Code: "behind-its-peer", At: Guarding, Meaning: "the other host has received what this master does not have any more",
		Cure: "gtunnel replication switchover on the other host",
	},
	{
		Code: "peer-silent", At: Switchover | Rejoin | Guarding, Meaning: "the other host's server does not answer",
		Cure: "bring it or the tunnel up; if it is lost: gtunnel replication promote",
	},
	{
		Code: "peer-writable", At: Promote | Switchover | Guarding,
		Meaning: "the other host can be written to, and must not be",
		Cure:    "systemctl enable --now gtunnel-guard there, which makes it read-only",
	},
	{
		Code: "still-slave", At: Promote | Switchover | Guarding,
		Meaning: "this host is the master, and its server still follows another",
		Cure:    "the same command again",
	},
	{
		Code: "demoted", At: Guarding, Meaning: "this master has made itself read-only for a switchover that has not ended",
		Cure: "the same command again on the other host; if it is lost: gtunnel replication promote",
	},
	{
		Code: "not-following", At: Guarding,
		Meaning: "the other host is the master, and this server is not its slave",
		Cure:    "gtunnel replication rejoin",
	},
}

// switchoverCodes are of a switchover.
var switchoverCodes = []Code{
	{
		Code: "no-guard", At: Switchover, Meaning: "the guard of the other host does not run",
		Cure: "systemctl enable --now gtunnel-guard there",
	},
	{
		Code: "not-ready", At: Switchover | Rejoin, Meaning: "the pair is not set up for it",
		Cure: "gtunnel replication check",
	},
	{
		Code: "lagging", At: Switchover, Meaning: "the slave is too far behind",
		Cure: "wait until gtunnel replication status says ok",
	},
	{
		Code: "temporary-tables", At: Switchover, Meaning: "the slave has temporary tables of sessions on the master",
		Cure: "wait until those sessions have ended",
	},
	{
		Code: "prepared-transactions", At: Switchover | Rejoin, Meaning: "a server has prepared XA transactions",
		Cure: "XA RECOVER lists them; XA COMMIT or XA ROLLBACK",
	},
	{
		Code: "long-transaction", At: Switchover, Meaning: "a transaction is open on the master, and would be rolled back",
		Cure: "wait for its end, or end its connection by KILL",
	},
	{
		Code: "replication-login", At: Switchover, Meaning: "a host cannot log in at the other as its slave must",
		Cure: "gtunnel replication check",
	},
	{
		Code: "login-untried", At: Switchover, Meaning: "the other host has not logged in here lately as a slave must",
		Cure: "its guard tries it: systemctl status gtunnel-guard there",
	},
	{
		Code: "demotion-refused", At: Switchover, Meaning: "the master could not be made read-only, and is writable",
		Cure: "end what it names, then run it again",
	},
	{
		Code: "cannot-demote", At: Switchover | Guarding, Meaning: "the master cannot be made read-only at the moment",
		Cure: "as it says",
	},
	{
		Code: "no-demotion", At: Switchover, Meaning: "the guard of the other host has not made it read-only in time",
		Cure: "systemctl status gtunnel-guard there",
	},
	{
		Code: "written", At: Switchover, Meaning: "something was written on the master although it was read-only",
		Cure: "an account with all rights did: SHOW GRANTS there",
	},
	{
		Code: "cluster-decides", At: Promote | Switchover | Guarding,
		Meaning: "a cluster manager decides which host serves, and has not asked for this",
		Cure:    "crm_resource --move, or pcs resource move; in its maintenance mode --cluster may be given by hand",
	},
	{
		Code: "not-taken-back", At: Switchover, Meaning: "the switchover is withdrawn, and the master is still read-only",
		Cure: "its guard makes it writable: systemctl enable --now gtunnel-guard there",
	},
	{
		Code: "unfinished", At: Switchover, Meaning: "this host is the master by its term, and not all is done",
		Cure: "the same command again",
	},
}

// promoteCodes are of a promotion.
var promoteCodes = []Code{
	{
		Code: "peer-alive", At: Promote, Meaning: "the other host lives, and may be the master",
		Cure: "gtunnel replication switchover; if its database is down, start it there",
	},
	{
		Code: "cannot-ask", At: Promote, Meaning: "this host could not ask whether the other lives",
		Cure: "gtunnel run --check",
	},
	{
		Code: "alive", At: Guarding, Meaning: "the other host is stated to be off, and answers",
		Cure: "as it says; gtunnel replication status on both",
	},
	{
		Code: "peer-alone", At: Promote,
		Meaning: "the other host may become writable by itself when it comes back, without asking this one",
		Cure:    "make sure that it is off, and stays off",
	},
	{
		Code: "not-fenced", At: Promote, Meaning: "nobody has stated that the old master cannot serve",
		Cure: "make sure of it, then: --fenced NAME; or the program fence in [pair] of gtunnel.toml",
	},
	{
		Code: "fenced-other", At: Promote, Meaning: "--fenced names a host that is not the other one of the pair",
		Cure: "name the old master as [pair] hosts does",
	},
	{
		Code: "loses-more", At: Promote, Meaning: "more may be lost than --lose-at-most agrees to",
		Cure: "bring the old master back; or agree to it, as the text says",
	},
	{
		Code: "do-not-now", At: Promote, Meaning: "what would destroy what the slave has received, by a dry run",
	},
	{
		Code: "not-a-slave", At: Promote, Meaning: "this server has no connection to a master: nobody knows what it has",
		Cure: "bring the other host back; or gtunnel help failover, \"without a slave\"",
	},
	{
		Code: "apply-failed", At: Promote, Meaning: "the slave cannot apply what it has received",
		Cure: "mend what the error names, then run it again; skip nothing, and do not reset the slave",
	},
	{
		Code: "unapplied", At: Promote | Guarding, Meaning: "the relay log has what is not applied",
		Cure: "gtunnel replication promote goes on where it was",
	},
	{
		Code: "relay-log-order", At: Promote,
		Meaning: "transactions of the relay log are applied out of their order",
		Cure:    "gtunnel help failover, \"relay log\"",
	},
	{
		Code: "relay-log-torn", At: Promote,
		Meaning: "the end of the relay log cannot be read: what is before it is applied",
	},
	{
		Code: "relay-log-copy", At: Promote, Meaning: "the relay log could not be copied before it is applied",
		Cure: "make room, then run it again",
	},
	{
		Code: "relay-log-recovery", At: Promote,
		Meaning: "a restart of this server would throw away what it has received and not applied",
		Cure:    "relay_log_recovery=OFF in its option files",
	},
	{
		Code: "not-durable", At: Promote, Meaning: "as the master this server may lose its last transactions in a power cut",
		Cure: "sync_binlog=1 and innodb_flush_log_at_trx_commit=1, now and in its option files",
	},
	{
		Code: "sequence-full", At: Promote,
		Meaning: "there is no room to set a sequence beyond what the old master may have given",
		Cure:    "ALTER SEQUENCE ... RESTART WITH a number that was never given, or a larger MAXVALUE",
	},
	{
		Code: "events-unknown", At: Promote | Switchover,
		Meaning: "events stay disabled: nobody knows whether they were enabled on the old master",
		Cure:    "for each that shall run: ALTER EVENT ... ENABLE",
	},
	{
		Code: "event-scheduler", At: Promote | Switchover, Meaning: "the new master's event_scheduler is off: no event runs",
		Cure: "SET GLOBAL event_scheduler=ON; and in its option files",
	},
	{
		Code: "hook-failed", At: Promote, Meaning: "a program of [pair] has failed, or could not be run",
		Cure: "what it has printed says why; then run it again",
	},
	{
		Code: "not-writable", At: Promote, Meaning: "the term is this host's, and its server is not writable",
		Cure: "gtunnel replication status says why; then run it again",
	},
}

// rejoinCodes are of the way back.
var rejoinCodes = []Code{
	{
		Code: "errant", At: Rejoin, Meaning: "the old master has transactions that the new one lacks",
		Cure: "they are saved as SQL first: look at what is wanted of it",
	},
	{
		Code: "errant-unreadable", At: Rejoin, Meaning: "what only the old master has cannot be read and saved",
		Cure: "save what is wanted of it by hand, then: gtunnel replication rejoin --unsaved",
	},
	{
		Code: "data-lost", At: Rejoin,
		Meaning: "only a new copy makes this server a slave again, and its data is lost by that",
		Cure:    "back up what is wanted, then: gtunnel replication rejoin --replace-databases NAMES",
	},
	{
		Code: "no-copy", At: Rejoin, Meaning: "no new copy can be made from here",
		Cure: "gtunnel replication setup-slave --reseed",
	},
	{
		Code: "master-read-only", At: Rejoin, Meaning: "the new master does not take writes yet",
		Cure: "gtunnel replication status there says what its guard waits for",
	},
	{
		Code: "term-behind", At: Rejoin, Meaning: "the row of the new master has an older term than this host knows",
		Cure: "systemctl enable --now gtunnel-guard there; then run it again",
	},
	{
		Code: "not-judged", At: Rejoin, Meaning: "the guard of the new master does not go on beyond the old one's GTIDs",
		Cure: "systemctl restart gtunnel-guard there; then run it again",
	},
	{
		Code: "not-contained", At: Rejoin | Guarding, Meaning: "the old master has what the new one has not received",
		Cure: "gtunnel replication rejoin",
	},
}

// alsoFailing are codes of other commands, which mean the same here.
var alsoFailing = []Code{
	{Code: "busy", At: failing},
	{Code: "delayed", At: Switchover},
	{Code: "different", At: Rejoin},
	{
		Code: "long-statement", At: Switchover, Meaning: "statements that run for long on the master would hold it up",
		Cure: "wait until they are done, or end them: KILL QUERY",
	},
	{
		Code: "no-binary-log", At: Promote, Meaning: "this server writes no binary log: nobody could become its slave",
		Cure: "log_bin in its option files, and a restart once the other host is back",
	},
	{Code: "no-slave", At: Switchover},
	{Code: "not-set-up", At: Rejoin},
	{Code: "slave-stands", At: Promote | Switchover},
	{Code: "slave-stopped", At: Switchover},
	{Code: "stopped", At: Rejoin},
}
