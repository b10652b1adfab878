package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// SlaveWant is what a slave should become.
type SlaveWant struct {
	HandOver  *HandOver // passwords and databases of the master
	Databases []string  // all, or some, of the hand-over's
	Port      int       // of 127.0.0.1: the local end of the tunnel

	Method     SeedMethod
	Start      Position // of SeedNone: where the data that is there stands
	LockTables bool     // see Seed
	MaxRate    uint64   // see Seed
	Replace    []string // databases of the slave whose data may be lost
	Reseed     bool     // copy the databases though the slave replicates them

	NewPasswords bool // this run has replaced those of the accounts that the slave uses

	DropIn      *DropIn // as it is; nil: no directory for it is known
	State       State   // of an earlier run
	MonitorFile *OptionFile
	SkipCompare bool

	// What runs that were cut off have noted, which Setup.Plan reads.
	compared *compareNote
	repaired *repairNote
	packets  *packetNote

	elsewhere bool // of Setup.isElsewhere
}

// PlanSlave plans what makes a server the slave of a master. It asks nobody
// anything.
func PlanSlave(master, slave *Facts, want SlaveWant) *Plan {
	p := &Plan{Findings: CheckSlave(slave, want.Port)}
	p.Findings.add(CheckPair(master, slave, want.Databases))
	p.Findings.add(checkHandOver(master, want))
	p.Findings.add(checkSessions(master, want.HandOver.OldSessions))
	s := &slavePlan{Plan: p, master: master, slave: slave, want: want, status: slave.master()}
	s.established = s.status != nil && isOurMaster(s.status, want.Port)
	s.checkEstablished()
	seed := s.needsSeed()
	if want.repaired != nil && s.status != nil && !seed {
		problem := want.repaired.cutOff(slave, s.status)
		problem.Cure += "; or --reseed, which copies everything anew"
		p.Problems = append(p.Problems, problem)
	}
	if seed {
		p.Findings.add(checkOtherDatabases(master, slave, want.Databases, want.Replace, want.Method))
		s.checkData()
		s.checkRoom()
		s.checkSeedAccount()
		s.checkOwnGTIDs()
	}
	if s.established && !seed && want.Method == SeedNone && !want.Start.at(want.State.Start) {
		s.problem(Slave, "other-start", "leave --method none and --start out; or --reseed with them, to begin anew from there",
			"it replicates already, and does not begin at %s", want.Start)
	}
	if f := want.MonitorFile; f != nil && f.foreign() {
		s.problem(Slave, "foreign-file", "give another path with --monitor-file", "%s exists and was not made by gtunnel", f.Path)
	}
	if len(p.Problems) > 0 {
		return p
	}
	s.restorePackets()
	settingSteps(p, slave, want.DropIn, s.settings())
	if seed {
		s.seed()
	} else {
		s.disableEvents(false)
		if s.filterLost() && s.want.State.Stage != StageSeeded { // other changes may have come: it is to be seen to be equal
			s.want.State.Stage = StageRunning
		}
	}
	s.connect(seed)
	s.finish(seed)
	return p
}

// slavePlan is a plan for a slave in the making.
type slavePlan struct {
	*Plan

	master, slave *Facts
	want          SlaveWant
	status        *SlaveStatus // of the default connection; nil if there is none
	established   bool         // the default connection goes to our end of the tunnel
}

// checkHandOver compares the hand-over with the server that it should be of.
func checkHandOver(master *Facts, want SlaveWant) Findings {
	var found Findings
	h := want.HandOver
	if h.UUID != master.UUID() || h.ServerID != master.ServerID() {
		found.problem(Master, "other-server", "does the tunnel lead to the right host? If the master was set up anew: gtunnel replication setup-master there, and its new hand-over file here",
			"it is not the server that the hand-over file was made on: server_id %d, not %d", master.ServerID(), h.ServerID)
	}
	for _, name := range want.Databases {
		if !slices.Contains(h.Databases, name) {
			found.problem(Master, "unknown-database", "on the master: gtunnel replication setup-master --databases with it, and the new hand-over file here",
				"%s was not set up there for replication; these were: %s", name, listed(h.Databases))
		} else if master.database(name) == nil {
			found.problem(Master, "unknown-database", "if it was dropped: on the master gtunnel replication setup-master --databases with those that are left, and here its new hand-over file with --reseed; else CREATE DATABASE there, or log in with an account that sees it",
				"there is no database %s any more, or the account does not see it", name)
		}
	}
	if !master.HasBinaryLog() {
		found.problem(Master, "no-binary-log", "gtunnel replication setup-master there", "its binary log is off")
	}
	return found
}

// checkEstablished looks at a replication that is set up already.
func (s *slavePlan) checkEstablished() {
	if !s.established || s.want.Reseed || s.want.State.Stage == StageSeeding {
		return
	}
	s.checkSameMaster()
	if !s.filtered() && !s.filterLost() && s.want.State.Stage != StageSeeded {
		s.problem(Slave, "other-databases", "to replicate another set of databases all are copied anew: --reseed, with --replace-databases "+strings.Join(s.want.Databases, ","),
			"it replicates %s, not %s", listed(s.status.WildDoTable), listed(wildTables(s.want.Databases)))
	}
	if s.status.IOErrno == accessDenied && s.want.HandOver.Passwords[ReplicationUser].IsEmpty() {
		s.unknownPassword()
	}
	if s.status.SQLErrno != 0 && !s.filterLost() { // a lost filter lets the changes of other databases through, which fail
		cure := explainSlaveError(s.status.SQLErrno, s.status.SQLError).Cure
		if s.want.State.Stage == StageRunning {
			cure = s.reseedCure() + ": it was never seen to be equal. Or: " + cure
		}
		s.problem(Slave, "broken", cure, "the replication has stopped: %s", s.status.SQLError)
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
	case s.want.State.Stage == StageSeeding: // unless somebody has set it up since
		return !s.established || !s.status.Running()
	case s.want.State.Stage == StageSeeded:
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
		if s.slave.database(name) == nil {
			return false
		}
	}
	if mark := s.want.masterMark(s.master); mark != "" && state.MasterMark != "" && mark != state.MasterMark {
		return false
	}
	return state.MasterID == s.master.ServerID() && state.MasterUUID == s.master.UUID() && sameSet(state.Databases, s.want.Databases) &&
		slices.ContainsFunc(s.master.BinaryLogs, func(l BinaryLog) bool { return l.File == state.Start.File })
}

// checkData refuses to overwrite data that no run of ours brought and nobody
// has given up.
func (s *slavePlan) checkData() {
	if s.want.Method == SeedNone {
		return
	}
	for _, name := range s.lost() {
		if !slices.Contains(s.want.Replace, name) {
			d := s.slave.database(name)
			s.problem(Slave, "data-on-slave", "to have it overwritten: --replace-databases "+name+"; to keep it: back it up, and drop it",
				"there is a database %s already, with %d tables of %s, and %d views and sequences", name, d.Tables, FormatBytes(d.Bytes), d.Others)
		}
	}
}

// byMonitor tells whether the login on the master is the monitor account's,
// which is taken once the seeding account is gone.
func (s *slavePlan) byMonitor() bool { return strings.HasPrefix(s.master.User, MonitorUser+"@") }

// bySeedAccount tells whether it is the seeding account's, which is to go.
func (s *slavePlan) bySeedAccount() bool { return strings.HasPrefix(s.master.User, SeedUser+"@") }

// checkSeedAccount refuses a copy by an account that does not see all of the
// databases: routines would be missing from it.
func (s *slavePlan) checkSeedAccount() {
	if s.want.HandOver.Passwords[ReplicationUser].IsEmpty() {
		s.unknownPassword()
	}
	if s.want.Method != SeedNone && s.byMonitor() {
		s.problem(Master, "no-seed-account", "on the master: gtunnel replication setup-master --seed-again; it keeps the passwords of the hand-over file",
			"the account %s, by which the databases are copied, is gone: an earlier copy has dropped it", quoteAccount(SeedUser, loopback))
	}
}

// checkOwnGTIDs refuses a copy that MySQL before 8.0 could not begin from: it
// takes gtid_purged only while it has no GTIDs of its own (error 1840).
func (s *slavePlan) checkOwnGTIDs() {
	v := s.slave.Version
	if v.Family == MySQL && !v.atLeast(MySQL, 8, 0, 0) && s.want.Method != SeedNone && s.master.GTIDs() && s.slave.GTIDs() && s.slave.variable("gtid_executed") != "" {
		s.problem(Slave, "own-gtids", "on the slave, unless somebody needs its binary log: STOP SLAVE; RESET SLAVE ALL; "+v.resetBinaryLog()+"; then run this again",
			"%s takes the GTIDs of a copy only while it has none itself, and it has %s", v, s.slave.variable("gtid_executed"))
	}
}

func (s *slavePlan) unknownPassword() {
	s.problem(Master, "unknown-password", "on the master: gtunnel replication setup-master, and its hand-over file here; or --new-passwords, after which other slaves must be set up again",
		"the password of %s is not known here", quoteAccount(ReplicationUser, loopback))
}

// lost are the databases of the slave that the seed removes, and that are not
// the leavings of a seed which was cut off.
func (s *slavePlan) lost() []string {
	var lost []string
	for i := range s.slave.Databases {
		d := &s.slave.Databases[i]
		ours := s.want.State.left(d)
		empty := d.Tables == 0 && d.Others == 0 && d.Events == 0 && d.Routines == 0
		if (s.want.Method == SeedClone || slices.Contains(s.want.Databases, d.Name)) && !ours && !empty {
			lost = append(lost, d.Name)
		}
	}
	return lost
}

// settings are the variables that the slave must have. Read-only is made at the
// end, for the running server, but must not be forgotten by a restart.
func (s *slavePlan) settings() []wantedSetting {
	id := s.slave.ServerID()
	clash := id == 0 || id == s.master.ServerID() || !s.established && slices.Contains(s.master.Slaves, id)
	if clash {
		id = s.freeServerID()
	}
	packet := max(s.master.MaxAllowedPacket(), s.slave.MaxAllowedPacket())
	netTimeout := "slave_net_timeout"
	if _, ok := s.slave.Variables["replica_net_timeout"]; ok {
		netTimeout = "replica_net_timeout"
	}
	window := fmt.Sprint(int(slaveNetWindow.Seconds()))
	wanted := []wantedSetting{
		{name: "server_id", value: fmt.Sprint(id), literal: fmt.Sprint(id), ok: !clash, why: "master and slave need different ones", always: true},
		{name: netTimeout, value: window, literal: window, ok: s.slave.number(netTimeout) <= uint64(slaveNetWindow.Seconds()), why: "a silent link must be noticed within a minute"},
		{name: "max_allowed_packet", value: fmt.Sprint(packet), literal: fmt.Sprint(packet), ok: s.slave.MaxAllowedPacket() >= s.master.MaxAllowedPacket(), why: "the slave must take what the master writes"},
		{name: "read_only", value: "ON", ok: s.slave.on("read_only"), why: "nobody may write on a slave", always: true},
		{name: "replicate_wild_do_table", value: strings.Join(s.persistentFilter(), "\n"), ok: s.established && s.filtered(), why: "only the named databases are replicated", always: true},
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok {
		wanted = append(wanted, wantedSetting{name: "super_read_only", value: "ON", ok: s.slave.on("super_read_only"), why: "nor may root", always: true})
	}
	return wanted
}

// persistentFilter are the patterns as option files have them. MySQL takes those
// with a colon in front for the default channel, and others for every channel.
func (s *slavePlan) persistentFilter() []string {
	patterns := wildTables(s.want.Databases)
	if s.slave.Version.atLeast(MySQL, 8, 0, 0) {
		for i := range patterns {
			patterns[i] = ":" + patterns[i]
		}
	}
	return patterns
}

// filtered tells whether the slave replicates just the wanted databases.
func (s *slavePlan) filtered() bool {
	return s.status != nil && sameSet(s.status.WildDoTable, wildTables(s.want.Databases))
}

// filterLost tells whether the slave replicates all databases, as after a restart
// without our option file.
func (s *slavePlan) filterLost() bool { return s.established && len(s.status.WildDoTable) == 0 }

// freeServerID gives the first id from 2 that neither the master has, nor any of
// its slaves, nor another master of this slave.
func (s *slavePlan) freeServerID() uint32 {
	taken := append(slices.Clone(s.master.Slaves), s.master.ServerID())
	for _, m := range s.slave.Masters {
		taken = append(taken, m.MasterID)
	}
	id := uint32(2)
	for slices.Contains(taken, id) {
		id++
	}
	return id
}

// seed adds the steps of the copy.
func (s *slavePlan) seed() {
	if s.want.Method != SeedNone {
		s.add(&Step{
			Name: "note-seed", On: Slave, What: "note that the databases are being copied",
			Why: "a run that is cut off must not leave half a copy that looks whole", run: noteSeed(s.want),
		})
	}
	if s.status != nil {
		s.add(&Step{
			Name: "stop-slave", On: Slave, What: "stop the replication and forget its master",
			Why: "the databases are copied anew", SQL: []Statement{s.slave.Version.stopSlave(bothThreads), s.slave.Version.resetSlaveAll()},
		})
	}
	if s.want.Method == SeedNone {
		s.disableEvents(true)
		return
	}
	s.writable("let the copy be written")
	if s.slave.on("event_scheduler") {
		s.add(&Step{
			Name: "events-off", On: Slave, What: "stop the event scheduler during the copy", Why: "the master's events must not run here",
			SQL: []Statement{statement("SET GLOBAL event_scheduler=OFF")}, Undo: "SET GLOBAL event_scheduler=ON",
		})
	}
	if s.want.Method != SeedClone {
		var drops []Statement
		for _, name := range s.want.Databases {
			if s.slave.database(name) != nil {
				drops = append(drops, statement("DROP DATABASE IF EXISTS %s", quoteName(name)))
			}
		}
		if len(drops) > 0 {
			s.add(&Step{
				Name: "drop-databases", On: Slave, What: "drop the slave's own databases of these names", Why: "they are copied from the master",
				SQL: append([]Statement{statement("SET SESSION sql_log_bin=0"), statement("SET SESSION foreign_key_checks=0")}, drops...), Loses: s.lost(), Undo: "none: the data is gone",
			})
		}
	}
	var bytes uint64
	for _, name := range s.want.Databases {
		bytes += s.master.database(name).Bytes
	}
	what := fmt.Sprintf("copy %s, about %s, through the tunnel (%s)", strings.Join(s.want.Databases, ", "), FormatBytes(bytes), s.want.Method)
	step := &Step{Name: "seed", On: Slave, What: what, Why: "a slave begins with what the master has at one position of its binary log", run: runSeed(s.want)}
	if s.want.Method == SeedClone {
		step.Loses = s.lost()
	}
	s.add(step)
}

// writable adds the step that ends a read-only state, if there is one, for what
// comes before the slave is read-only again.
func (s *slavePlan) writable(what string) {
	if s.slave.on("super_read_only") || s.slave.on("read_only") {
		off := []Statement{statement("SET GLOBAL read_only=0")} // clears super_read_only as well
		s.add(&Step{Name: "writable", On: Slave, What: what, SQL: off, Undo: "SET GLOBAL read_only=1"})
	}
}

// disableEvents adds the step that disables the events of data that was there:
// a copy does that itself. The slave becomes read-only at the end if it is seeded.
func (s *slavePlan) disableEvents(seeded bool) {
	var enabled []Event
	for _, name := range s.want.Databases {
		if d := s.slave.database(name); d != nil {
			enabled = append(enabled, d.EnabledEvents...)
		}
	}
	disable := disableEvents(s.slave.Version, enabled)
	if len(disable) == 0 {
		return
	}
	if seeded {
		s.writable("let the events be changed")
	} else if s.slave.on("super_read_only") { // off for this step only
		disable = slices.Concat([]Statement{statement("SET GLOBAL super_read_only=0")}, disable, []Statement{statement("SET GLOBAL super_read_only=1")})
	}
	s.add(&Step{
		Name: "events-disable", On: Slave, What: "disable the events of " + listed(s.want.Databases), Why: "they run on the master, and what they do is replicated: here they would do it once more",
		SQL: disable, Undo: "ALTER EVENT ... ENABLE",
	})
}

// connect adds the steps that point the slave to its master.
func (s *slavePlan) connect(seeded bool) {
	v := s.slave.Version
	if s.established && !seeded {
		if !s.filtered() { // the server was restarted, or the run before was cut off here
			filter := []Statement{v.stopSlave(bothThreads), v.setFilter(s.want.Databases)}
			s.add(&Step{
				Name: "filter", On: Slave, What: "replicate only " + listed(s.want.Databases),
				SQL: filter, run: uncompared(filter), Undo: v.setFilter(nil).String(),
			})
		}
		if s.newPassword() {
			change := []Statement{v.stopSlave(bothThreads), v.changePassword(s.want.HandOver.Passwords[ReplicationUser]), v.startSlave(bothThreads)}
			step := &Step{
				Name: "password", On: Slave, What: "give the slave the new password of the replication", Why: "the master refuses the one that it has, or will",
				SQL: change,
			}
			if !s.knowsMaster() {
				step.run = uncompared(change)
			}
			s.add(step)
		}
		s.restateOptions()
		if s.want.compared.holds(s.status) && s.filtered() {
			s.add(&Step{
				Name: "start-slave", On: Slave, What: "start the SQL thread, which a comparison that was cut off has stopped",
				SQL: []Statement{v.stopSlave(sqlThread), v.startSlave(bothThreads)}, Undo: v.stopSlave(sqlThread).String(),
			})
		} else if !s.filtered() || !s.status.Running() {
			s.add(&Step{Name: "start-slave", On: Slave, What: "start the replication", SQL: []Statement{v.startSlave(bothThreads)}, run: startSlave, Undo: v.stopSlave(bothThreads).String()})
		}
		return
	}
	shown := s.connection(Position{File: "FILE", GTID: "GTIDS"}, s.want.Method)
	switch {
	case s.want.Method == SeedNone:
		shown = s.connection(s.want.Start, SeedNone)
	case !seeded:
		shown = s.connection(s.want.State.Start, s.want.State.Method)
	}
	why := "every option is stated, because a server keeps some of an earlier CHANGE; the tunnel encrypts, so there is no TLS in it"
	if seeded && s.want.Method != SeedNone {
		why += "; the coordinates are those of the copy"
	}
	s.add(&Step{
		Name: "change-master", On: Slave, What: fmt.Sprintf("make the master the one at %s:%d", loopback, s.want.Port), Why: why,
		Undo: v.resetSlaveAll().String(), SQL: s.changeMasterSQL(shown), run: s.changeMaster,
	})
	s.add(&Step{
		Name: "filter", On: Slave, What: "replicate only " + listed(s.want.Databases), Why: "the pattern also takes statements that name a table of another database than the current one",
		SQL: []Statement{v.setFilter(s.want.Databases)}, Undo: v.setFilter(nil).String(),
	})
	s.add(&Step{Name: "start-slave", On: Slave, What: "start the replication", SQL: []Statement{v.startSlave(bothThreads)}, run: startSlave, Undo: v.stopSlave(bothThreads).String()})
}

// newPassword tells whether the slave gets another password.
func (s *slavePlan) newPassword() bool {
	return s.established && (s.status.IOErrno == accessDenied || s.want.NewPasswords) && !s.want.HandOver.Passwords[ReplicationUser].IsEmpty()
}

// knowsMaster tells whether the master is known to be the one that the slave has
// been set up with.
func (s *slavePlan) knowsMaster() bool {
	same, _ := s.masterNoted()
	return same
}

// uncompared changes what the slave follows. That it is to be compared is noted first:
// once it is changed, nothing else tells.
func uncompared(change []Statement) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		if a.State.Stage != StageSeeded {
			if err := a.note(func(s *State) { s.Stage = StageRunning }); err != nil {
				return err
			}
		}
		return a.Slave.run(ctx, change)
	}
}

// changeMasterSQL are the statements of the step change-master.
func (s *slavePlan) changeMasterSQL(c connection) []Statement {
	v := s.slave.Version
	if !c.byGTID {
		return []Statement{v.changeMaster(c)}
	}
	return []Statement{v.setStart(c.start.GTID), v.changeMaster(c)}
}

// connection is how the slave reaches its master from a position on, which a copy by
// a method has, or the administrator.
func (s *slavePlan) connection(start Position, method SeedMethod) connection {
	c := connection{
		host: loopback, port: s.want.Port, user: ReplicationUser, password: s.want.HandOver.Passwords[ReplicationUser], start: start,
	}
	c.byGTID = s.master.Version.Family == s.slave.Version.Family && s.master.GTIDs() && s.slave.GTIDs() &&
		(start.GTID != "" || s.master.Version.Family == MariaDB && method != SeedNone) // a binary log that was just begun has none yet
	return c
}

// finish adds what comes when the slave runs.
func (s *slavePlan) finish(seeded bool) {
	state := s.want.State
	// Without a state that says so, nobody has seen that the data is the master's.
	due := seeded || state.Stage != StageDone || s.newPassword() && !s.knowsMaster()
	if !due && s.established {
		_, due = s.masterNoted()
	}
	if due || !s.established || !s.status.Running() || len(s.drift()) > 0 {
		s.add(&Step{Name: "catch-up", On: Slave, What: "wait until the slave has caught up", run: catchUp})
	}
	var readOnly []Statement
	if !s.slave.on("read_only") || seeded {
		readOnly = append(readOnly, statement("SET GLOBAL read_only=1"))
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok && (!s.slave.on("super_read_only") || seeded) {
		readOnly = append(readOnly, statement("SET GLOBAL super_read_only=1"))
	}
	if len(readOnly) > 0 {
		s.add(&Step{Name: "read-only", On: Slave, What: "make the slave read-only", Why: "whoever writes on a slave breaks it", SQL: readOnly, Undo: "SET GLOBAL read_only=0"})
	}
	if seeded && s.slave.on("event_scheduler") || state.EventScheduler != "" || state.PersistedEvents != nil {
		s.add(&Step{Name: "events-on", On: Slave, What: "start the event scheduler again", Why: "the copied events are disabled on the slave; others are as before", run: restoreEvents})
	}
	if due && !s.want.SkipCompare {
		s.add(&Step{Name: "compare", On: Slave, What: "compare the data of both at one position", run: compareAll(&Comparison{Databases: s.want.Databases})})
	}
	if s.want.MonitorFile != nil && !s.want.MonitorFile.same() {
		s.add(&Step{
			Name: "monitor-file", On: Slave, What: "keep the login of the monitor account for status and compare", Undo: "remove the file",
			File: &File{Path: s.want.MonitorFile.Path, Mode: 0o600, Content: s.want.MonitorFile.statement()},
		})
	}
	if _, known := s.want.HandOver.Passwords[SeedUser]; known && !s.byMonitor() && (seeded || state.SeedAccount || s.bySeedAccount() || s.want.NewPasswords) {
		s.add(&Step{
			Name: "drop-seed-account", On: Master, What: "drop the account " + quoteAccount(SeedUser, loopback), Why: "it has done its work",
			SQL: []Statement{statement("CALL %s()", quoteTable("mysql", dropSeedProcedure))}, run: dropSeedAccount, Undo: "gtunnel replication setup-master --seed-again",
		})
	}
	if len(s.Steps) > 0 || due {
		s.add(&Step{Name: "note-done", On: Slave, What: "note that the slave is set up", run: s.noteDone})
	}
}

// sameSet compares two lists without regard of their order, and of what one
// says twice: a server does, if two of its option files have the same filter.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
