package failover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// furtherHistory is how a further slave stands to the master. Nobody writes on it, and so
// all that it has was another master's.
type furtherHistory struct {
	Copy  string // why only a new copy makes it a slave of that master; empty: nothing known
	Alone string // what it has received, and the master has not: GTIDs; by file and position, a position

	ByGTID   bool
	SlavePos string          // MariaDB: what gtid_slave_pos is to be
	Start    server.Position // by file and position
}

// furtherParting is what that is judged by.
type furtherParting struct {
	own, master historyEnd
	status      *server.SlaveStatus // of the own server
	incomplete  bool                // the end of what was received is a part of a transaction, which never counts
	start       term.Start          // of the master's term
	judged      string              // MySQL's GTIDs that the master has as empty transactions: see term.Note.Judged
	oldest      string              // MariaDB: GTIDs before the first file of the master's binary log

	// fromOld is that the slave follows the host that was the master just before, as by file
	// and position must be known.
	fromOld bool
}

// judge compares the histories. It is a function of its arguments alone.
func (s *furtherParting) judge() furtherHistory {
	switch family := s.own.Version.Family; {
	case family != s.master.Version.Family:
	case family == server.MySQL && s.own.gtids() && s.master.gtids():
		return s.ofMySQL()
	case family == server.MariaDB && s.status.ByGTID:
		return s.ofMariaDB()
	}
	return s.byPosition()
}

// purgedForFurther is what no history helps against.
const purgedForFurther = "the master's binary log does not go back any more to where this slave stands"

// ofMySQL compares sets of GTIDs. What the slave has written itself is of no master.
func (s *furtherParting) ofMySQL() furtherHistory {
	received := server.JoinGTIDs(s.own.Variables["gtid_executed"], strings.ReplaceAll(s.status.GTIDReceived, "\n", ""))
	has := server.SubtractGTIDs(s.master.Variables["gtid_executed"], s.judged)
	h := furtherHistory{ByGTID: true, Alone: server.SubtractGTIDs(received, has)}
	h.Alone = server.SubtractGTIDs(h.Alone, server.GTIDsOf(h.Alone, s.own.Variables["server_uuid"]))
	if server.SubtractGTIDs(s.master.Variables["gtid_purged"], s.own.Variables["gtid_executed"]) != "" {
		h.Copy = purgedForFurther
	}
	return h
}

// ofMariaDB compares lists of GTIDs. What a filter keeps from a slave moves the position of
// that slave, and is not in its binary log: so the master's own position counts as well.
func (s *furtherParting) ofMariaDB() furtherHistory {
	h := furtherHistory{ByGTID: true}
	applied, received := s.own.list("gtid_slave_pos"), server.ParseGTIDList(s.status.GTIDReceived)
	var alone []string
	beyond := map[uint32]bool{}
	for _, domain := range domainsOf(applied, received) {
		g := applied[domain]
		if r := received[domain]; r.Number > g.Number && !s.incomplete {
			g = r
		}
		if !s.masterHas(g, true) {
			alone = append(alone, g.String())
			beyond[domain] = true
		}
	}
	h.Alone = strings.Join(alone, ",")
	at, stood := server.GTIDList{}, server.ParseGTIDList(s.start.GTID)
	for domain, g := range applied {
		at[domain] = g
		if !beyond[domain] && s.masterHas(g, false) {
			continue
		}
		begins, known := stood[domain]
		if !known {
			h.Copy = "nothing tells where the master's own binary log goes on from what this slave has of " + g.String()
			continue
		}
		at[domain] = begins
	}
	h.SlavePos = at.String()
	if !covers(at, server.ParseGTIDList(s.oldest)) {
		h.Copy = purgedForFurther
	}
	return h
}

// domainsOf are the domains of lists, in order.
func domainsOf(lists ...server.GTIDList) []uint32 {
	var domains []uint32
	for _, list := range lists {
		for domain := range list {
			if !slices.Contains(domains, domain) {
				domains = append(domains, domain)
			}
		}
	}
	slices.Sort(domains)
	return domains
}

// masterHas reports whether the master is known to have a GTID of MariaDB's: in its binary
// log, or, passed, as a slave that has gone by it.
func (s *furtherParting) masterHas(g server.GTID, passed bool) bool {
	lists := []string{s.master.Variables["gtid_binlog_state"]}
	if passed {
		lists = append(lists, s.master.Variables["gtid_slave_pos"], s.start.OldGTID)
	}
	return slices.ContainsFunc(server.ParseGTIDs(strings.Join(lists, ",")), func(other server.GTID) bool {
		return other.Domain == g.Domain && other.Server == g.Server && other.Number >= g.Number
	})
}

// byPosition can go on at one place alone: where the new master's history parts from that
// of the old one, which is all that the term tells.
func (s *furtherParting) byPosition() furtherHistory {
	h := furtherHistory{Start: server.Position{File: s.start.File, Offset: s.start.Offset}}
	old := server.Position{File: s.start.OldFile, Offset: s.start.OldOffset}
	read, applied := s.status.Read, s.status.Executed
	const rest = ": by file and position only what has exactly that can go on"
	switch {
	case !s.fromOld || old.IsZero() || h.Start.IsZero():
		h.Copy = "by file and position a slave can follow only from the host that was the master just before, and nothing " +
			"says that this one does"
	case old.Before(read) && !s.incomplete, old.Before(applied):
		h.Alone = read.String()
		h.Copy = fmt.Sprintf("it has received the old master's binary log up to %s, and the new master up to %s%s", read, old,
			rest)
	case !applied.At(old):
		h.Copy = fmt.Sprintf("it has applied the old master's binary log up to %s, and the new master up to %s%s", applied,
			old, rest)
	case !slices.ContainsFunc(s.master.Logs, func(l server.BinaryLog) bool { return l.File == h.Start.File }):
		h.Copy = purgedForFurther
	}
	return h
}
