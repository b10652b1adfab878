package rules

import (
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// wantRules are about wants of a setup that contradict what is there.
var wantRules = []Rule{
	{
		Code: "other-start", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: beganElsewhere,
		Meaning: "the slave replicates already, and did not begin at the start that is wanted",
		Cure:    "leave --method none and --start out; or --reseed with them, to begin anew from there",
	},
	{
		Code: "foreign-file", On: finding.Slave, Problem: SetupSlave, judge: wouldOverwrite,
		Meaning: "a file that is to be written exists, and gtunnel has not made it",
		Cure:    "give another path with --monitor-file",
	},
}

func beganElsewhere(j *judgement) {
	if !j.NeedsSeed() && j.Established() && j.Method == journal.SeedNone && !j.Start.At(j.State.Start) {
		j.say("it replicates already, and does not begin at %s", j.Start)
	}
}

func wouldOverwrite(j *judgement) {
	if j.ForeignFile != "" {
		j.say("%s exists and was not made by gtunnel", j.ForeignFile)
	}
}
