package replication

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"
)

// markBefore is what comes before a server's mark in the comment of the procedure
// dropSeedProcedure, where it is kept. A new server in the place of another, with
// the same server_id, has another one.
const markBefore = "gtunnel replication, server "

// markIn gives the mark in a comment; empty if there is none.
func markIn(comment string) string {
	mark, found := strings.CutPrefix(comment, markBefore)
	if !found {
		return ""
	}
	return mark
}

// masterNoted tells whether the master is known to be, or not to be, the one that
// the state and the slave have noted; neither if that is not known.
func (s *slavePlan) masterNoted() (same, other bool) {
	noted, now := []string{s.want.State.MasterMark}, s.want.masterMark(s.master)
	if uuid := s.master.UUID(); uuid != "" {
		noted, now = []string{s.want.State.MasterUUID, s.status.MasterUUID}, uuid
	}
	for _, id := range noted {
		same = same || id != "" && id == now
		other = other || id != "" && now != "" && id != now
	}
	return same && !other, other
}

// masterMark is the mark of the master, which the hand-over has where the login does not
// see it.
func (w *SlaveWant) masterMark(master *Facts) string { return cmp.Or(master.Mark, w.HandOver.Mark) }

// checkSameMaster refuses to begin to follow a master with the data of another one. If
// the slave follows it already, somebody has seen to that: the data is compared.
func (s *slavePlan) checkSameMaster() {
	_, other := s.masterNoted()
	if s.want.elsewhere || other && s.status.IORunning != "Yes" {
		s.problem(Slave, "replaced-master", s.reseedCure()+". If the slave's data is this master's nevertheless: --reseed --method none --start with the coordinates that it has",
			"the master is not the one whose databases the slave has: it was replaced, or set up anew")
	}
}

// isElsewhere tells whether a slave of MariaDB's, of which nothing else says whose
// databases it has, cannot have come to its position by the master's binary log: no
// event begins there, or the slave has fewer transactions than there are before it, or
// more than there are at all.
func (s *Setup) isElsewhere(ctx context.Context) (bool, error) {
	status, mark := s.SlaveFacts.master(), s.Want.masterMark(s.MasterFacts)
	if status == nil || !isOurMaster(status, s.Want.Port) || !status.ByGTID || s.Master.Version.Family != MariaDB || s.Slave.Version.Family != MariaDB ||
		mark != "" && s.State.MasterMark != "" {
		return false, nil
	}
	status, err := s.Slave.slaveStatus(ctx, s.Slave.db)
	if err != nil || status == nil {
		return false, err
	}
	applied, err := s.Slave.value(ctx, s.Slave.db, "SELECT @@GLOBAL.gtid_slave_pos")
	if err != nil {
		return false, err
	}
	written, err := s.Master.value(ctx, s.Master.db, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return false, err
	}
	if behind(written, applied) || status.Executed.IsZero() {
		return behind(written, applied), nil
	}
	at, err := s.Master.verifyCoordinates(ctx, s.Master.db, status.Executed)
	switch {
	case HasCode(err, "bad-coordinates"): // it ends before, or no event begins there
		return true, nil
	case HasCode(err, "no-coordinates"), HasCode(err, "log-purged"), isDenied(err): // nothing tells
		return false, nil
	case err != nil:
		return false, err
	}
	// A slave tells of a position before it tells of the GTIDs there.
	for deadline := time.Now().Add(settleTime); behind(applied, at.GTID); {
		if time.Now().After(deadline) {
			return true, nil
		}
		if err := pause(ctx, pollSlave); err != nil {
			return false, err
		}
		if applied, err = s.Slave.value(ctx, s.Slave.db, "SELECT @@GLOBAL.gtid_slave_pos"); err != nil {
			return false, err
		}
	}
	return false, nil
}

// behind tells whether MariaDB's GTIDs of one list end before those of another in a
// domain that both have.
func behind(list, other string) bool {
	own, others := sequenceNumbers(list), sequenceNumbers(other)
	for domain, number := range own {
		if number < others[domain] {
			return true
		}
	}
	return false
}

// sequenceNumbers are the last sequence numbers of MariaDB's GTIDs by their domains.
func sequenceNumbers(list string) map[string]uint64 {
	last := map[string]uint64{}
	for _, gtid := range splitList(list) {
		parts := strings.Split(strings.TrimSpace(gtid), "-")
		if len(parts) != 3 {
			continue
		}
		number, _ := strconv.ParseUint(parts[2], 10, 64) // a number on every server
		last[parts[0]] = max(last[parts[0]], number)
	}
	return last
}
