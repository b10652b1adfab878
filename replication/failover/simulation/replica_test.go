package simulation

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/server"
)

// start starts threads of a slave. MariaDB by GTID deletes the relay log if both stand.
func (e *engine) start(io, sql bool) {
	if e.family == server.MariaDB && e.master.byGTID && !e.io.running && !e.sql.running {
		e.relay = nil
		e.received = e.slavePos
		e.master.read = e.master.done
	}
	if io && !e.io.running {
		e.io = thread{running: true, held: e.io.held}
	}
	if sql && !e.sql.running {
		e.sql = thread{running: true, held: e.sql.held}
	}
}

// halt stops threads of a slave.
func (e *engine) halt(io, sql bool) {
	if io {
		e.io.running = false
	}
	if sql {
		e.sql.running = false
	}
}

// replicate lets the threads do what they can, and reports whether they did anything.
func (e *engine) replicate() bool {
	did := false
	for e.receive() || e.apply() {
		did = true
	}
	return did
}

// ioState is SHOW SLAVE STATUS's word for the I/O thread: it tries while the master does not answer.
func (e *engine) ioState() string {
	switch {
	case !e.io.running:
		return "No"
	case e.masterEngine() == nil:
		return "Connecting"
	}
	return "Yes"
}

// masterEngine is the master, if it can be reached.
func (e *engine) masterEngine() *engine {
	other := e.w.other(e.host).engine
	if !other.up || !e.w.reaches(e.host) || other.isOn("refuses_logins") {
		return nil
	}
	return other
}

// receive takes the next transaction of the master into the relay log.
func (e *engine) receive() bool {
	if !e.up || e.master == nil || !e.io.running || e.io.held {
		return false
	}
	m := e.masterEngine()
	if m == nil {
		e.io.connected = false
		return false
	}
	if !e.io.connected && m.serverID() == e.serverID() {
		e.io = thread{errno: 1593, text: "master and slave have equal server ids"}
		return true
	}
	e.io.connected = true
	next, err := e.next(m)
	if err != nil {
		e.io = thread{errno: 1236, text: err.Error()}
		return true
	}
	if next == nil {
		e.master.read = place{m.file, m.tail}
		if len(e.relay) == 0 && e.sql.running && !e.sql.held {
			e.master.done = e.master.read
		}
		return false
	}
	e.relay = append(e.relay, *next)
	e.torn = e.variables["sync_relay_log"] != "1"
	e.received = next.id
	e.retrieved = append(e.retrieved, next.id)
	e.master.read = place{next.file, next.end}
	e.w.noteReceived(e, next.change)
	return true
}

// next is the master's next transaction for this slave; nil if it has all.
func (e *engine) next(m *engine) (*logged, error) {
	switch {
	case !e.master.byGTID:
		for i, l := range m.log {
			if e.master.read.before(place{l.file, l.end}) {
				return &m.log[i], nil
			}
		}
	case e.family == server.MariaDB:
		return e.nextMariaDB(m)
	default:
		has := slices.Concat(e.executed(), e.retrieved)
		if len(subtract(ofServer(has, m.number), ofServer(m.executed(), m.number))) > 0 {
			return nil, errors.New("the slave has more GTIDs than the master has, using the master's SERVER_UUID")
		}
		if len(subtract(m.purged, has)) > 0 {
			return nil, fmt.Errorf("the master has purged binary logs containing GTIDs that the replica requires")
		}
		for i, l := range m.log {
			if !slices.Contains(has, l.id) && l.by != e.serverID() { // those are passed over
				return &m.log[i], nil
			}
		}
	}
	return nil, nil //nolint:nilnil // it may have all
}

// nextMariaDB is next by MariaDB's GTIDs: the master must have in its log where the slave stands.
func (e *engine) nextMariaDB(m *engine) (*logged, error) {
	at := e.slavePos
	if e.received.number > at.number {
		at = e.received
	}
	if len(m.purged) > 0 && at == m.purged[len(m.purged)-1] {
		return &m.log[0], nil
	}
	if len(m.purged) > 0 && at.number == 0 {
		return nil, errors.New("could not find GTID state requested by slave in any binlog files")
	}
	if at.number == 0 || len(m.log) == 0 {
		if len(m.log) > 0 {
			return &m.log[0], nil
		}
		return nil, nil //nolint:nilnil // nothing was written
	}
	i := slices.IndexFunc(m.log, func(l logged) bool { return l.id == at })
	if i < 0 {
		return nil, fmt.Errorf("connecting slave requested to start from GTID %s, which is not in the master's binlog",
			at.format())
	}
	if i+1 < len(m.log) {
		return &m.log[i+1], nil
	}
	return nil, nil //nolint:nilnil // it has all
}

// purge deletes the binary log but for its last transaction.
func (e *engine) purge() {
	for len(e.log) > 1 {
		e.purged, e.log = append(e.purged, e.log[0].id), e.log[1:]
	}
	e.synced = len(e.log)
}

// ofServer is what of a set comes from a server.
func ofServer(set []gtid, number int) []gtid {
	return slices.DeleteFunc(slices.Clone(set), func(g gtid) bool { return g.server != number })
}

// apply applies the next transaction of the relay log.
func (e *engine) apply() bool {
	if !e.up || e.master == nil || !e.sql.running || e.sql.held || e.readLocked(nil) {
		return false
	}
	if len(e.relay) == 0 {
		return false
	}
	next := e.relay[0]
	e.relay = e.relay[1:]
	e.applied++
	e.master.done = place{next.file, next.end}
	if e.family == server.MySQL && slices.Contains(e.executed(), next.id) {
		return true // passed over
	}
	if next.by == e.serverID() { // likewise, but it counts as applied
		e.slavePos = next.id
		return true
	}
	if next.row != 0 && slices.Contains(e.rows, next.row) {
		e.sql = thread{errno: 1062, text: "Duplicate entry"}
		e.relay = slices.Insert(e.relay, 0, next)
		return true
	}
	e.store(next.change)
	e.slavePos = next.id
	return true
}
