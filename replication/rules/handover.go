package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// handOverRules hold the hand-over against the server that it should be of.
var handOverRules = []Rule{
	{
		Code: "other-server", On: finding.Master, Needs: MasterFacts | HandedOver, Problem: CheckPair | SetupSlave,
		judge:   isAnotherServer,
		Meaning: "the server at the tunnel's other end is not the one that the hand-over file was made on",
		Cure: "does the tunnel lead to the right host? If the master was set up anew: gtunnel replication " +
			"setup-master there, " +
			"and its new hand-over file here",
	},
	{
		Code: "unknown-database", On: finding.Master, Needs: MasterFacts | HandedOver, Problem: CheckPair | SetupSlave,
		judge:   wasNotHandedOver,
		Meaning: "a database was not set up on the master for replication, or is not there any more",
		Cure:    "on the master: gtunnel replication setup-master --databases with it, and the new hand-over file here",
	},
	{
		Code: "no-binary-log", On: finding.Master, Needs: BothFacts, Problem: CheckPair | SetupSlave,
		judge:   masterLogsNothing,
		Meaning: "the master writes no binary log",
		Cure:    "gtunnel replication setup-master there",
	},
	{
		Code: "seed-account-stays", On: finding.Master, Needs: BothFacts, Warning: SetupSlave, judge: keepsSeedAccount,
		Meaning: "nobody can write on the master, itself a slave, and so the seeding account cannot be dropped there",
		Cure:    "on the master SET GLOBAL super_read_only=0, DROP USER, and SET GLOBAL super_read_only=1",
	},
}

func isAnotherServer(j *judgement) {
	if h := j.HandOver; h.UUID != j.Master.UUID() || h.ServerID != j.Master.ServerID() {
		j.say("it is not the server that the hand-over file was made on: server_id %d, not %d",
			j.Master.ServerID(), h.ServerID)
	}
}

func wasNotHandedOver(j *judgement) {
	for _, name := range j.Databases {
		if !slices.Contains(j.HandOver.Databases, name) {
			j.say("%s was not set up there for replication; these were: %s", name, finding.Items(j.HandOver.Databases))
		} else if j.Master.Database(name) == nil {
			j.sayCure("if it was dropped: on the master gtunnel replication setup-master --databases with those that are left, "+
				"and here its new hand-over file with --reseed; else CREATE DATABASE there, "+
				"or log in with an account that sees it",
				"there is no database %s any more, or the account does not see it", name)
		}
	}
}

func masterLogsNothing(j *judgement) {
	if !j.Master.HasBinaryLog() {
		j.say("its binary log is off")
	}
}

// keepsSeedAccount is about a slave of a slave: what it copies by is dropped by hand.
func keepsSeedAccount(j *judgement) {
	if !strings.HasPrefix(j.Master.User, facts.SeedUser+"@") || !j.Master.ReadOnlyForAll() {
		return
	}
	begin, end := j.Master.LetAdministratorsWrite()
	j.sayCure("on the master, when the slave replicates: "+begin.String()+"; SET SESSION sql_log_bin=0; DROP USER "+
		accountOf(facts.SeedUser)+"; DROP PROCEDURE IF EXISTS "+server.QuoteTable("mysql", facts.DropSeedProcedure)+
		"; "+end.String()+";",
		"nobody can write there, and so the account %s stays, which can read all", accountOf(facts.SeedUser))
}

// SeesAsMonitor reports whether the login on the master is the monitor account's,
// which is taken once the seeding account is gone.
func (s *Subject) SeesAsMonitor() bool {
	return strings.HasPrefix(s.Master.User, facts.MonitorUser+"@")
}

// reseedCure is how the databases are copied anew: with the seeding account, which is
// gone if the login is the monitor account's.
func (s *Subject) reseedCure() string {
	if s.SeesAsMonitor() {
		return finding.SeedAnew
	}
	return "gtunnel replication setup-slave --reseed --replace-databases " + finding.Names
}

// accountOf is one of our accounts, as SQL has it.
func accountOf(user string) string { return server.QuoteAccount(user, server.Loopback) }
