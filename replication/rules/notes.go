package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// noteRules are about runs of gtunnel that were cut off. A setup ends what is left
// of a comparison by itself.
var noteRules = []Rule{
	{
		Code: "repair-cut-off", On: finding.Slave, Needs: Connection, Problem: SetupSlave | Status | Repair,
		judge:   repairCutOff,
		Meaning: "a repair was cut off: what the slave has of its tables may be half a copy",
		Cure:    "the repair again: gtunnel replication compare --repair-table with its tables",
	},
	{
		Code: "compare-cut-off", On: finding.Slave, Needs: Connection, Problem: Status, judge: compareCutOff,
		Meaning: "a comparison was cut off, and has left the slave stopped, or told to stop",
		Cure:    "gtunnel replication compare, which starts it again",
	},
	{
		Code: "until", On: finding.Slave, Needs: Connection, Warning: Status, judge: willStop,
		Meaning: "the slave was told to stop at a position, and will",
		Cure:    "STOP SLAVE SQL_THREAD; START SLAVE SQL_THREAD",
	},
	{
		Code: "compared-unequal", On: finding.Slave, Needs: Connection, Warning: Status, judge: comparedUnequal,
		Meaning: "the last comparison has found data that is not as on the master",
		Cure:    "gtunnel replication compare, which shows what differs, and how to repair it",
	},
}

func repairCutOff(j *judgement) {
	if j.Repaired == nil || j.Seen.Busy {
		return
	}
	isLeft := func(table string) bool { return !slices.Contains(j.Tables, table) }
	if j.Moment == Repair && !slices.ContainsFunc(j.Repaired.Tables, isLeft) { // it ends that one
		return
	}
	problem := j.Repaired.CutOff(j.Slave, j.Connection())
	if j.Moment == SetupSlave {
		if j.NeedsSeed() { // which copies these tables too
			return
		}
		problem.Cure += "; or --reseed, which copies everything anew"
	}
	j.add(problem)
}

// heldByComparison reports whether a comparison that was cut off holds the slave.
func (s *Subject) heldByComparison() bool {
	return s.Repaired == nil && s.Compared.Holds(s.Connection())
}

func compareCutOff(j *judgement) {
	if !j.Seen.Busy && j.heldByComparison() {
		j.add(j.Compared.CutOff(j.Slave.Version, j.Connection()))
	}
}

func willStop(j *judgement) {
	if c := j.Connection(); !j.Seen.Busy && !j.heldByComparison() && c.Until != "" && c.SQLRunning == "Yes" {
		j.sayCure(journal.RestartSQL(j.Slave.Version), "the SQL thread was told to stop at %s, and will", c.Until)
	}
}

// comparedUnequal: a repair of what was found is not noted, a comparison after it is.
func comparedUnequal(j *judgement) {
	if last := j.LastCompared; last != nil && last.Differing > 0 {
		j.say("the last comparison, at %s, has found %s", journal.NoteTime(last.Ended), last)
	}
}
