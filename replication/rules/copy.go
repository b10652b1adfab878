package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// copyRules are about a slave that is to begin anew: what it would lose, what
// would reach it that the filter does not stop, and what a copy needs. They say
// nothing of a slave that goes on.
var copyRules = []Rule{
	{
		Code: "shared-name", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: sharesNames,
		Meaning: "the slave has databases of its own whose names the master has too, which the master's changes can reach",
		Cure:    "replicate them too; or rename or drop them on the slave; or let that happen: --replace-databases",
	},
	{
		Code: "shared-name", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: mayShareNames,
		Cure: "look on the master: SHOW DATABASES",
	},
	{
		Code: "passes-filter", On: finding.Master, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: passesFilter,
		Meaning: "databases that are not replicated have routines or events, whose changes pass the filter",
		Cure:    "if it stops the slave, gtunnel replication status says what to do",
	},
	{
		Code: "data-on-slave", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, Warning: CheckPair,
		judge:   wouldLoseData,
		Meaning: "the slave has databases already that the copy would replace",
		Cure:    "back them up; to have them overwritten: --replace-databases",
	},
	{
		Code: "unknown-database", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: givesUpNothing,
		Cure: "is the name right, in upper and lower case too?",
	},
	{
		Code: "accounts-on-slave", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: wouldLoseAccounts,
		Meaning: "the slave has accounts already that a clone would erase",
		Cure:    "to have them erased: --replace-databases mysql; or use the method dump",
	},
	{
		Code: "no-room", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: lacksRoom,
		Meaning: "the slave's disk is too small for the copy",
		Cure:    makeRoom,
	},
	{
		Code: "little-room", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: hasLittleRoom,
		Meaning: "the copy would leave little room on the slave's disk",
		Cure:    makeRoom,
	},
	{
		Code: "no-seed-account", On: finding.Master, Needs: BothFacts, Problem: SetupSlave, judge: lacksSeedAccount,
		Meaning: "no login by the account that copies the databases: an earlier copy has dropped it, " +
			"or it has another password",
		Cure: "on the master: gtunnel replication setup-master --seed-again --databases " + finding.Names +
			", and its hand-over file here again; it keeps the passwords of the other accounts",
	},
}

const makeRoom = "make room there, or give the data directory a larger disk"

// What a master does in databases that are not replicated reaches the slave in
// two ways, though the filter leaves out their tables (tried on MariaDB 10.11 and
// MySQL 9.7): a statement about a routine or an event names no table, and passes;
// and one that names tables of several databases, such as DROP TABLE, passes as a
// whole if one of them is replicated.
const passes = "the filter stops neither what is done to routines and events, " +
	"nor a DROP TABLE that names a replicated table too"

// ownDatabases are those of the slave that are neither replicated nor given up,
// and hold what did not come from the master.
func (s *Subject) ownDatabases() []string {
	var own []string
	for i := range s.Slave.Databases {
		d := &s.Slave.Databases[i]
		if slices.Contains(s.Databases, d.Name) || slices.Contains(s.Replace, d.Name) {
			continue
		}
		// Of a slave, routines and events alone are what has come from the master.
		if d.Tables+d.Others > 0 || s.Connection() == nil && d.Routines+d.Events > 0 {
			own = append(own, d.Name)
		}
	}
	return own
}

// keepsOthers reports whether the slave begins anew and keeps what it has beside
// the wanted databases. After a clone, what it has of others is a copy too.
func (s *Subject) keepsOthers() bool { return s.NeedsSeed() && s.Method != journal.SeedClone }

func sharesNames(j *judgement) {
	if !j.keepsOthers() {
		return
	}
	shared := slices.DeleteFunc(j.ownDatabases(), func(name string) bool { return j.Master.Database(name) == nil })
	if len(shared) > 0 {
		names := strings.Join(shared, ",")
		j.sayCure("replicate them too: gtunnel replication setup-master --databases "+
			strings.Join(j.Databases, ",")+","+names+
			" on the master; or rename or drop them on the slave; or let that happen: --replace-databases "+names+
			", which does not drop these",
			"it has databases of its own with names of databases of the master that are not replicated, "+
				"whose changes can reach them: %s; %s", finding.Items(shared), passes)
	}
}

// mayShareNames is about a login that does not see all databases of the master.
func mayShareNames(j *judgement) {
	if !j.keepsOthers() || j.Master.HasPrivilege("SHOW DATABASES", "SELECT") {
		return
	}
	unseen := slices.DeleteFunc(j.ownDatabases(), func(name string) bool { return j.Master.Database(name) != nil })
	if len(unseen) > 0 {
		j.say("%s does not see all databases of the master; if it has some of these too, "+
			"its changes to them can reach the slave's own: %s; %s", j.Master.User, finding.Items(unseen), passes)
	}
}

func passesFilter(j *judgement) {
	if !j.keepsOthers() {
		return
	}
	var passing []string
	lacking := []string{server.LogNothing}
	for i := range j.Master.Databases {
		if d := &j.Master.Databases[i]; d.Routines+d.Events > 0 && !slices.Contains(j.Databases, d.Name) {
			passing = append(passing, d.Name)
			if j.Slave.Database(d.Name) == nil {
				lacking = append(lacking, "CREATE DATABASE "+server.QuoteName(d.Name)+";")
			}
		}
	}
	if len(passing) == 0 {
		return
	}
	cure := "if it does, gtunnel replication status says what to do"
	if len(lacking) > 1 {
		cure = "have empty databases take them, on the slave: " + strings.Join(j.Slave.WhileWritable(lacking...), " ") +
			" If it stops there all the same, gtunnel replication status says what to do"
	}
	j.sayCure(cure, "databases that are not replicated have routines or events, whose changes pass the filter, "+
		"and stop the slave where it lacks the database, routine or event: %s", finding.Items(passing))
}

// wouldLoseData refuses to overwrite data that no run of ours brought and nobody
// has given up.
func wouldLoseData(j *judgement) {
	if !j.NeedsSeed() || j.Method == journal.SeedNone {
		return
	}
	for _, name := range j.Lost() {
		d := j.Slave.Database(name)
		switch {
		case slices.Contains(j.Replace, name):
		case j.Moment == CheckPair:
			j.sayCure("back it up; then setup-slave --replace-databases "+name+" overwrites it",
				"there is a database %s with %s of %s already, which the copy would replace",
				name, finding.Count(d.Tables, "table"), finding.FormatBytes(d.Bytes))
		default:
			j.sayCure("to have it overwritten: --replace-databases "+name+"; to keep it: back it up, and drop it",
				"there is a database %s already, with %s of %s; views and sequences: %d",
				name, finding.Count(d.Tables, "table"), finding.FormatBytes(d.Bytes), d.Others)
		}
	}
}

// givesUpNothing is about names that --replace-databases has and neither server: which
// database was meant is not known. What a copy that was cut off has removed was there.
func givesUpNothing(j *judgement) {
	if !j.NeedsSeed() || j.State.Stage == journal.StageSeeding {
		return
	}
	for _, name := range j.Replace {
		known := slices.Contains(j.Databases, name) || isSystemDatabase(name) ||
			j.Slave.Database(name) != nil || j.Master.Database(name) != nil
		if !known {
			j.say("--replace-databases names %s, and there is no database %s", name, name)
		}
	}
}

// wouldLoseAccounts refuses to erase accounts that nobody has given up. Those of the
// system and of gtunnel are on the master too, and the login has a rule of its own.
func wouldLoseAccounts(j *judgement) {
	if !j.NeedsSeed() || j.Method != journal.SeedClone || slices.Contains(j.Replace, accountDatabase) {
		return
	}
	var lost []string
	for _, a := range j.Slave.Accounts {
		account := a.User + "@" + a.Host
		if account != j.Slave.User && !slices.Contains(systemAccounts, account) &&
			!slices.Contains(facts.AccountUsers, a.User) {
			lost = append(lost, server.QuoteAccount(a.User, a.Host))
		}
	}
	if len(lost) > 0 {
		j.sayCure("to have them erased: --replace-databases "+
			strings.Join(slices.Concat(j.Replace, []string{accountDatabase}), ",")+"; to keep them: --method dump",
			"a clone erases its accounts with their passwords and rights, and brings those of the master: %s",
			finding.Items(lost))
	}
}

// accountDatabase is where the accounts are.
const accountDatabase = "mysql"

// systemAccounts are those that every server of MySQL's makes for itself.
var systemAccounts = []string{
	"root@localhost", "mysql.sys@localhost", "mysql.session@localhost", "mysql.infoschema@localhost",
}

// room is what a copy needs on the slave's disk, what is there for it, and how
// that is said. The sizes are the servers' estimates. It is not known of every
// disk.
func (s *Subject) room() (needed, room uint64, figures string, known bool) {
	if s.Method == journal.SeedNone || s.Slave.Free == nil || !s.NeedsSeed() {
		return 0, 0, "", false
	}
	copied := func(name string) bool { return s.Method == journal.SeedClone || slices.Contains(s.Databases, name) }
	free, freed := *s.Slave.Free, s.Slave.BytesOnDisk(copied)
	needed = s.Master.BytesOnDisk(copied)
	figures = fmt.Sprintf("the copy needs about %s in %s, where %s are free",
		finding.FormatBytes(needed), s.Slave.Variable("datadir"), finding.FormatBytes(free))
	if freed > 0 {
		figures += fmt.Sprintf(" and about %s become so, because the slave's own are dropped", finding.FormatBytes(freed))
	}
	return needed, free + freed, figures, true
}

// roomCure is how there is more of it.
func (s *Subject) roomCure() string {
	if s.Method == journal.SeedClone || len(s.Databases) < 2 {
		return makeRoom
	}
	return makeRoom + ", or replicate fewer databases than " + strings.Join(s.Databases, ",") + ": --databases"
}

func lacksRoom(j *judgement) {
	if needed, room, figures, known := j.room(); known && needed > room {
		j.sayCure(j.roomCure(), "%s", figures)
	}
}

func hasLittleRoom(j *judgement) {
	if needed, room, figures, known := j.room(); known && needed <= room && room-needed < room/5 {
		j.sayCure(j.roomCure(), "%s: less than a fifth of that would be left", figures)
	}
}

// lacksSeedAccount refuses a copy by an account that does not see all of the
// databases: routines would be missing from it.
func lacksSeedAccount(j *judgement) {
	if j.NeedsSeed() && j.Method != journal.SeedNone && j.SeesAsMonitor() {
		j.say("the account %s, by which the databases are copied, is gone: an earlier copy has dropped it; "+
			"or it has another password than in the hand-over file", accountOf(facts.SeedUser))
	}
}
