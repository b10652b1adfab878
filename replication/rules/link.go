package rules

import (
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// linkRules are about the master as a status meets it, and whether it is the
// right one.
var linkRules = []Rule{
	{
		Code: "master-unreachable", On: finding.Master, Needs: Connection, Warning: Status, judge: isUnreachable,
		Meaning: "the master cannot be asked how far the slave is behind",
		Cure:    "as the error says; gtunnel replication setup-slave writes the login of the monitor account",
	},
	{
		Code: "no-binary-log", On: finding.Master, Needs: Connection, Problem: Status, judge: masterHasStoppedLogging,
		Meaning: "the master writes no binary log",
		Cure:    "gtunnel replication setup-master there",
	},
	{
		Code: "other-master", On: finding.Master, Needs: Connection, Warning: Status, judge: isAnotherMaster,
		Meaning: "the server that was asked is not the master that the slave follows",
		Cure:    "is --master the end of the right tunnel?",
	},
	{
		Code: purged.Code, On: finding.Master, Needs: Connection, Problem: Status, judge: hasPurged,
		Meaning: purged.Words,
		Cure:    purged.Cure,
	},
	{
		Code: "restored-master", On: finding.Master, Needs: Connection, Problem: Status, Warning: SetupSlave,
		judge: lostItsPast,
		Meaning: "the master does not have the past that it had: it was restored from an older copy, " +
			"or its binary log was begun anew",
		Cure: "gtunnel replication setup-slave compares the data",
	},
	{
		Code: "clocks", Needs: Connection, Warning: Status, judge: clocksDiffer,
		Meaning: "the clocks of the hosts differ, and seconds of lag with them",
		Cure:    "run chronyd or ntpd on both hosts",
	},
}

// purged is what the slave says of it once it asks for the log.
var purged = finding.LogPurged

// tolerableClock is by how much clocks may differ.
const tolerableClock = 2 * time.Second

func isUnreachable(j *judgement) {
	if j.Seen.Asked || j.Seen.LogsNothing {
		return
	}
	switch h := j.Health(); {
	case h == HealthOK, h == HealthLagging, h == HealthApplierStuck, h == HealthWritableSlave, j.isStopped():
		j.sayCure(j.Seen.Cure, "how far the slave is behind cannot be said: %s",
			strings.TrimPrefix(j.Seen.Reason, string(finding.Master)+": "))
	} // the others say it
}

func masterHasStoppedLogging(j *judgement) {
	if j.Seen.LogsNothing {
		j.say("its binary log is off, and what changes there cannot arrive")
	}
}

func isAnotherMaster(j *judgement) {
	if j.Seen.Asked && !j.Seen.SameMaster {
		j.say("the server at --master has server_id %d, and the slave follows one with %d: "+
			"how far it is behind cannot be said", j.Seen.MasterID, j.Connection().MasterID)
	}
}

// hasPurged is about a slave that has not asked for the log yet. What it says of
// it otherwise is enough.
func hasPurged(j *judgement) {
	c := j.Connection()
	if !j.lacksLog() {
		return
	}
	if said := j.ioError(); said == nil || said.Code != purged.Code {
		j.say("%s (%s is not among them)", purged.Words, c.Read.File)
	}
}

// lacksLog reports whether the master no longer has the file that a slave reads next.
func (s *Subject) lacksLog() bool {
	c := s.Connection()
	return s.Seen.SameMaster && s.Seen.Unread == nil && !c.Read.IsZero() && !c.ByGTID
}

// lostItsPast is about a master that may lack what its slave has, though the slave goes
// on: the next changes have the names of those that were lost.
func lostItsPast(j *judgement) {
	n := j.Restored
	if n == nil || j.Moment == SetupSlave && !j.goesOn() {
		return
	}
	cure := "the data is compared at the end"
	if j.Moment == Status {
		cure = "gtunnel replication setup-slave compares the data; if it differs, " +
			"gtunnel replication compare --repair-table copies a table anew; or everything: " + finding.SeedAnew
	}
	j.sayCure(cure, "it does not have %s any more, where its binary log stood at %s: it was restored from an older copy, "+
		"or its binary log was begun anew, and the slave may have what it has not",
		n.At, n.Seen.UTC().Format("2006-01-02 15:04:05 UTC"))
}

func clocksDiffer(j *judgement) {
	if ahead := j.Seen.Clock; ahead != nil && j.Seen.SameMaster && ahead.Abs() > tolerableClock {
		j.say("the clocks of the hosts differ by %s, and seconds of lag with them", ahead.Abs().Round(time.Second))
	}
}
