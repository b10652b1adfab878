package rules

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// establishedRules are about a replication that is set up already, with which a
// setup goes on.
var establishedRules = []Rule{
	{
		Code: "replaced-master", On: finding.Slave, Needs: BothFacts | Connection, Problem: SetupSlave,
		judge:   hasAnothersData,
		Meaning: "the master is not the one whose databases the slave has",
		Cure: "--reseed copies all anew; " +
			"if the slave's data is this master's nevertheless: --reseed --method none --start",
	},
	{
		Code: "other-databases", On: finding.Slave, Needs: BothFacts | Connection, Problem: SetupSlave,
		judge:   replicatesOthers,
		Meaning: "the slave replicates another set of databases than the wanted one",
		Cure:    "to replicate another set of databases all are copied anew: --reseed, with --replace-databases",
	},
	{
		Code: "unknown-password", On: finding.Master, Needs: BothFacts | HandedOver, Problem: SetupSlave,
		judge:   lacksPassword,
		Meaning: "the password of an account of the slave's is not known here",
		Cure: "on the master: gtunnel replication setup-master, and its hand-over file here; or --new-passwords, " +
			"after which other slaves must be set up again",
	},
	{
		Code: purged.Code, On: finding.Slave, Needs: BothFacts | Connection, Problem: SetupSlave,
		judge:   cannotGoOn,
		Meaning: purged.Words,
		Cure:    purged.Cure,
	},
	{
		// Of a status: the error's own code.
		Code: "broken", On: finding.Slave, Needs: BothFacts | Connection, Problem: SetupSlave,
		judge:   isBroken,
		Meaning: "an error has stopped the replication that is to be set up",
		Cure:    "as the code of the error says, which gtunnel replication status gives",
	},
}

// hasAnothersData refuses to begin to follow a master with the data of another
// one. If the slave follows it already, somebody has seen to that: the data is
// compared.
func hasAnothersData(j *judgement) {
	_, other := j.MasterNoted()
	if j.goesOn() && (j.Elsewhere || other && j.Connection().IORunning != "Yes") {
		j.sayCure(j.reseedCure()+". If the slave's data is this master's nevertheless: "+
			"--reseed --method none --start with the coordinates that it has",
			"the master is not the one whose databases the slave has: it was replaced, or set up anew")
	}
}

func replicatesOthers(j *judgement) {
	if j.goesOn() && !j.Filtered() && !j.FilterLost() && j.State.Stage != journal.StageSeeded {
		j.sayCure("to replicate another set of databases all are copied anew: --reseed, with --replace-databases "+
			strings.Join(j.Databases, ","),
			"it replicates %s, not %s",
			finding.Items(j.Connection().WildDoTable), finding.List(server.WildTables(j.Databases)))
	}
}

// lacksPassword is about the password that a new slave needs, and one that its
// master refuses.
func lacksPassword(j *judgement) {
	refused := j.goesOn() && j.Connection().IOErrno == finding.AccessDenied
	if !j.HandOver.Password && (refused || j.NeedsSeed()) {
		j.say("the password of %s is not known here", accountOf(facts.ReplicationUser))
	}
}

// cannotGoOn finds a slave that the master has nothing for any more, with the code of
// its error. To start it would only have it say so again.
func cannotGoOn(j *judgement) {
	c := j.Connection()
	switch {
	case !j.goesOn() || c.IORunning == "Yes" || j.State.Stage == journal.StageSeeded && j.NeedsSeed():
	case finding.WantsSeed(c.IOErrno, c.IOError):
		j.add(finding.ExplainSlaveError(c.IOErrno, c.IOError))
	case j.Gone:
		j.say("%s", purged.Words)
	}
}

// isBroken leaves out what a lost filter has let through: the changes of other
// databases fail.
func isBroken(j *judgement) {
	c := j.Connection()
	if !j.goesOn() || !sqlStopped(c) || j.FilterLost() {
		return
	}
	cure := finding.ExplainSlaveError(c.SQLErrno, c.SQLError).Cure
	if j.State.Stage == journal.StageRunning {
		cure = j.reseedCure() + ": it was never seen to be equal. Or: " + cure
	}
	j.sayCure(cure, "the replication has stopped: %s", c.SQLError)
}
