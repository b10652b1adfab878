// Package journal is what gtunnel notes on the disk of the slave: how far a setup
// has come, and which work has stopped a slave or opened it to writes, so that a
// run that was cut off is known for what it is.
//
// Where a server says otherwise, the server is right: each note says by a method Holds
// whether what it tells still does.
//
// # Files
//
// All are in one directory, that of --state-dir:
//
//	replication.json       the State of the setup of this host's slave
//	replication.json.lock  is locked by the run that has opened the state
//	compare-ID.json        the ComparisonNote of the slave with that server_id
//	repair-ID.json         its RepairNote
//	packet-ID.json         its PacketNote
//
// Each holds one JSON object, with the keys of its type and
//
//	version  the format, a number: 1. Files without it are of a time before it, and
//	         are read as those of version 1. Those of a later one are refused.
//	term     room for the term of a pair that fails over, a number; nothing writes it
//	         yet, and what is there is left out when the file is written anew
//
// Files have the mode 0600, hold no passwords, and are written whole or not at
// all.
package journal
