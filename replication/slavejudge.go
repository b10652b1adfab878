package replication

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

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
func (w *SlaveWant) masterMark(master *facts.Facts) string {
	return cmp.Or(master.Mark, w.HandOver.Mark)
}

// checkSameMaster refuses to begin to follow a master with the data of another one. If
// the slave follows it already, somebody has seen to that: the data is compared.
func (s *slavePlan) checkSameMaster() {
	_, other := s.masterNoted()
	if s.want.elsewhere || other && s.status.IORunning != "Yes" {
		s.Problem(finding.Slave, "replaced-master", s.reseedCure()+". If the slave's data is this master's nevertheless: --reseed --method none --start with the coordinates that it has",
			"the master is not the one whose databases the slave has: it was replaced, or set up anew")
	}
}

// isElsewhere tells whether a slave of MariaDB's, of which nothing else says whose
// databases it has, cannot have come to its position by the master's binary log: no
// event begins there, or the slave has fewer transactions than there are before it, or
// more than there are at all.
func (s *Setup) isElsewhere(ctx context.Context) (bool, error) {
	status, mark := s.SlaveFacts.Master(), s.Want.masterMark(s.MasterFacts)
	if status == nil || !rules.IsOurMaster(status, s.Want.Port) || !status.ByGTID || s.Master.Version.Family != server.MariaDB || s.Slave.Version.Family != server.MariaDB ||
		mark != "" && s.State.MasterMark != "" {
		return false, nil
	}
	status, err := s.Slave.SlaveStatus(ctx, s.Slave.DB)
	if err != nil || status == nil {
		return false, err
	}
	applied, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_slave_pos")
	if err != nil {
		return false, err
	}
	written, err := s.Master.Value(ctx, s.Master.DB, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return false, err
	}
	if behind(written, applied) || status.Executed.IsZero() {
		return behind(written, applied), nil
	}
	at, err := s.Master.VerifyCoordinates(ctx, s.Master.DB, status.Executed)
	switch {
	case finding.HasCode(err, "bad-coordinates"): // it ends before, or no event begins there
		return true, nil
	case finding.HasCode(err, "no-coordinates"), finding.HasCode(err, "log-purged"), server.IsDenied(err): // nothing tells
		return false, nil
	case err != nil:
		return false, err
	}
	// A slave tells of a position before it tells of the GTIDs there.
	for deadline := time.Now().Add(settleTime); behind(applied, at.GTID); {
		if time.Now().After(deadline) {
			return true, nil
		}
		if err := server.Pause(ctx, settleLook); err != nil {
			return false, err
		}
		if applied, err = s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_slave_pos"); err != nil {
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
	for gtid := range strings.SplitSeq(list, ",") {
		parts := strings.Split(strings.TrimSpace(gtid), "-")
		if len(parts) != 3 {
			continue
		}
		number, _ := strconv.ParseUint(parts[2], 10, 64) // a number on every server
		last[parts[0]] = max(last[parts[0]], number)
	}
	return last
}

// checkRoom refuses a copy for which the slave's disk is too small, as far as
// that is known. The sizes are the servers' estimates.
func (s *slavePlan) checkRoom() {
	if s.want.Method == journal.SeedNone || s.slave.Free == nil {
		return
	}
	copied := func(name string) bool {
		return s.want.Method == journal.SeedClone || slices.Contains(s.want.Databases, name)
	}
	needed, freed := s.master.BytesOnDisk(copied), s.slave.BytesOnDisk(copied)
	room := *s.slave.Free + freed
	directory := s.slave.Variable("datadir")
	figures := fmt.Sprintf("the copy needs about %s in %s, where %s are free", finding.FormatBytes(needed), directory, finding.FormatBytes(*s.slave.Free))
	if freed > 0 {
		figures += fmt.Sprintf(" and about %s become so, because the slave's own are dropped", finding.FormatBytes(freed))
	}
	cure := "make room there, or give the data directory a larger disk"
	if s.want.Method != journal.SeedClone && len(s.want.Databases) > 1 {
		cure += ", or replicate fewer databases than " + strings.Join(s.want.Databases, ",") + ": --databases"
	}
	switch {
	case needed > room:
		s.Problem(finding.Slave, "no-room", cure, "%s", figures)
	case room-needed < room/5:
		s.Warn(finding.Slave, "little-room", cure, "%s: less than a fifth of that would be left", figures)
	}
}

// checkAhead finds GTIDs of MySQL's that the slave has from a time before the
// master's binary log was begun anew. The master refuses such a slave (1236), and
// gives these GTIDs to other transactions, which the slave would leave out.
func (s *Setup) checkAhead(ctx context.Context, plan *Plan) error {
	master, slave := s.MasterFacts, s.SlaveFacts
	if master.Version.Family != server.MySQL || slave.Version.Family != server.MySQL || !master.GTIDs() || !slave.GTIDs() || s.Want.Method == journal.SeedClone {
		return nil
	}
	// The master's are those of now: a slave that still replicates may have gone on since.
	ahead, err := s.Master.Value(ctx, s.Master.DB, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", slave.Variable("gtid_executed"))
	if err == nil && strings.Contains(strings.ToLower(ahead), strings.ToLower(master.UUID())) {
		reset := slave.Version.ResetBinaryLog()
		plan.Problem(finding.Slave, "gtids-ahead", "on the slave: "+reset+", unless somebody needs its binary log; then run this again",
			"it knows transactions of the master that the master does not have any more, as if its binary log was begun anew: %s", ahead)
	}
	return err
}

// checkOrder finds GTIDs in the binary log of a slave of MariaDB's that are later than
// the master's in the same domain. With gtid_strict_mode the slave would stop at the
// first change (1950).
func (s *Setup) checkOrder(ctx context.Context, plan *Plan) error {
	slave := s.SlaveFacts
	if s.Master.Version.Family != server.MariaDB || !slave.On("gtid_strict_mode") || !slave.HasBinaryLog() || !slave.On("log_slave_updates") {
		return nil
	}
	own, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_binlog_state")
	if err != nil {
		return err
	}
	// One that has written nothing yet begins with 1 in its domain.
	written, err := s.Master.Value(ctx, s.Master.DB, "SELECT CONCAT_WS(',', CONCAT(@@GLOBAL.gtid_domain_id, '-0-0'), NULLIF(@@GLOBAL.gtid_binlog_pos, ''))")
	if err == nil && behind(written, own) {
		plan.Problem(finding.Slave, "gtid-order", finding.Causes[1950].Cure, "its own binary log has later GTIDs (%s) than the master's (%s), and gtid_strict_mode lets none come after them", own, written)
	}
	return err
}

// checkHandOver compares the hand-over with the server that it should be of.
func checkHandOver(master *facts.Facts, want SlaveWant) finding.Findings {
	var found finding.Findings
	h := want.HandOver
	if h.UUID != master.UUID() || h.ServerID != master.ServerID() {
		found.Problem(finding.Master, "other-server", "does the tunnel lead to the right host? If the master was set up anew: gtunnel replication setup-master there, and its new hand-over file here",
			"it is not the server that the hand-over file was made on: server_id %d, not %d", master.ServerID(), h.ServerID)
	}
	for _, name := range want.Databases {
		if !slices.Contains(h.Databases, name) {
			found.Problem(finding.Master, "unknown-database", "on the master: gtunnel replication setup-master --databases with it, and the new hand-over file here",
				"%s was not set up there for replication; these were: %s", name, finding.List(h.Databases))
		} else if master.Database(name) == nil {
			found.Problem(finding.Master, "unknown-database", "if it was dropped: on the master gtunnel replication setup-master --databases with those that are left, and here its new hand-over file with --reseed; else CREATE DATABASE there, or log in with an account that sees it",
				"there is no database %s any more, or the account does not see it", name)
		}
	}
	if !master.HasBinaryLog() {
		found.Problem(finding.Master, "no-binary-log", "gtunnel replication setup-master there", "its binary log is off")
	}
	return found
}

// checkEstablished looks at a replication that is set up already.
func (s *slavePlan) checkEstablished() {
	if !s.established || s.want.Reseed || s.want.State.Stage == journal.StageSeeding {
		return
	}
	s.checkSameMaster()
	if !s.filtered() && !s.filterLost() && s.want.State.Stage != journal.StageSeeded {
		s.Problem(finding.Slave, "other-databases", "to replicate another set of databases all are copied anew: --reseed, with --replace-databases "+strings.Join(s.want.Databases, ","),
			"it replicates %s, not %s", finding.List(s.status.WildDoTable), finding.List(server.WildTables(s.want.Databases)))
	}
	if s.status.IOErrno == accessDenied && s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty() {
		s.unknownPassword()
	}
	if s.status.SQLErrno != 0 && !s.filterLost() { // a lost filter lets the changes of other databases through, which fail
		cure := finding.ExplainSlaveError(s.status.SQLErrno, s.status.SQLError).Cure
		if s.want.State.Stage == journal.StageRunning {
			cure = s.reseedCure() + ": it was never seen to be equal. Or: " + cure
		}
		s.Problem(finding.Slave, "broken", cure, "the replication has stopped: %s", s.status.SQLError)
	}
}

// reseedCure is how the databases are copied anew.
func (s *slavePlan) reseedCure() string {
	cure := "--reseed --replace-databases " + strings.Join(s.want.Databases, ",")
	if s.byMonitor() {
		cure = "on the master: gtunnel replication setup-master --seed-again; here " + cure
	}
	return cure
}

// needsSeed tells whether the databases must be copied.
func (s *slavePlan) needsSeed() bool {
	switch {
	case s.want.Reseed:
		return true
	case s.want.State.Stage == journal.StageSeeding: // unless somebody has set it up since
		return !s.established || !s.status.Running()
	case s.want.State.Stage == journal.StageSeeded:
		return !s.stateFits()
	default:
		return !s.established
	}
}

// stateFits tells whether the copy of an earlier run can be gone on with: it is
// of this master and these databases, which are there, and the master still has
// its binary log from there.
func (s *slavePlan) stateFits() bool {
	state := s.want.State
	for _, name := range s.want.Databases {
		if s.slave.Database(name) == nil {
			return false
		}
	}
	if mark := s.want.masterMark(s.master); mark != "" && state.MasterMark != "" && mark != state.MasterMark {
		return false
	}
	return state.MasterID == s.master.ServerID() && state.MasterUUID == s.master.UUID() && sameSet(state.Databases, s.want.Databases) &&
		slices.ContainsFunc(s.master.BinaryLogs, func(l server.BinaryLog) bool { return l.File == state.Start.File })
}

// checkData refuses to overwrite data that no run of ours brought and nobody
// has given up.
func (s *slavePlan) checkData() {
	if s.want.Method == journal.SeedNone {
		return
	}
	for _, name := range s.lost() {
		if !slices.Contains(s.want.Replace, name) {
			d := s.slave.Database(name)
			s.Problem(finding.Slave, "data-on-slave", "to have it overwritten: --replace-databases "+name+"; to keep it: back it up, and drop it",
				"there is a database %s already, with %d tables of %s, and %d views and sequences", name, d.Tables, finding.FormatBytes(d.Bytes), d.Others)
		}
	}
}

// byMonitor tells whether the login on the master is the monitor account's,
// which is taken once the seeding account is gone.
func (s *slavePlan) byMonitor() bool { return strings.HasPrefix(s.master.User, facts.MonitorUser+"@") }

// bySeedAccount tells whether it is the seeding account's, which is to go.
func (s *slavePlan) bySeedAccount() bool { return strings.HasPrefix(s.master.User, facts.SeedUser+"@") }

// checkSeedAccount refuses a copy by an account that does not see all of the
// databases: routines would be missing from it.
func (s *slavePlan) checkSeedAccount() {
	if s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty() {
		s.unknownPassword()
	}
	if s.want.Method != journal.SeedNone && s.byMonitor() {
		s.Problem(finding.Master, "no-seed-account", "on the master: gtunnel replication setup-master --seed-again; it keeps the passwords of the hand-over file",
			"the account %s, by which the databases are copied, is gone: an earlier copy has dropped it", server.QuoteAccount(facts.SeedUser, server.Loopback))
	}
}

// checkOwnGTIDs refuses a copy that MySQL before 8.0 could not begin from: it
// takes gtid_purged only while it has no GTIDs of its own (error 1840).
func (s *slavePlan) checkOwnGTIDs() {
	v := s.slave.Version
	if v.Family == server.MySQL && !v.AtLeast(server.MySQL, 8, 0, 0) && s.want.Method != journal.SeedNone && s.master.GTIDs() && s.slave.GTIDs() && s.slave.Variable("gtid_executed") != "" {
		s.Problem(finding.Slave, "own-gtids", "on the slave, unless somebody needs its binary log: STOP SLAVE; RESET SLAVE ALL; "+v.ResetBinaryLog()+"; then run this again",
			"%s takes the GTIDs of a copy only while it has none itself, and it has %s", v, s.slave.Variable("gtid_executed"))
	}
}

func (s *slavePlan) unknownPassword() {
	s.Problem(finding.Master, "unknown-password", "on the master: gtunnel replication setup-master, and its hand-over file here; or --new-passwords, after which other slaves must be set up again",
		"the password of %s is not known here", server.QuoteAccount(facts.ReplicationUser, server.Loopback))
}

// lost are the databases of the slave that the seed removes, and that are not
// the leavings of a seed which was cut off.
func (s *slavePlan) lost() []string {
	var lost []string
	for i := range s.slave.Databases {
		d := &s.slave.Databases[i]
		ours := s.want.State.Left(d)
		empty := d.Tables == 0 && d.Others == 0 && d.Events == 0 && d.Routines == 0
		if (s.want.Method == journal.SeedClone || slices.Contains(s.want.Databases, d.Name)) && !ours && !empty {
			lost = append(lost, d.Name)
		}
	}
	return lost
}

// filtered tells whether the slave replicates just the wanted databases.
func (s *slavePlan) filtered() bool {
	return s.status != nil && sameSet(s.status.WildDoTable, server.WildTables(s.want.Databases))
}

// filterLost tells whether the slave replicates all databases, as after a restart
// without our option file.
func (s *slavePlan) filterLost() bool { return s.established && len(s.status.WildDoTable) == 0 }

// newPassword tells whether the slave gets another password.
func (s *slavePlan) newPassword() bool {
	return s.established && (s.status.IOErrno == accessDenied || s.want.NewPasswords) && !s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty()
}

// knowsMaster tells whether the master is known to be the one that the slave has
// been set up with.
func (s *slavePlan) knowsMaster() bool {
	same, _ := s.masterNoted()
	return same
}
