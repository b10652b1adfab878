package rules

import (
	"strconv"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// chainRules are about a slave that has slaves of its own. What is copied to it is kept
// out of its binary log, and does not reach them.
var chainRules = []Rule{
	{
		Code: "stale-slaves", On: finding.Slave, Needs: BothFacts, Warning: SetupSlave | Repair | RepairRows,
		judge:   makesSlavesStale,
		Meaning: "the slave has slaves of its own, which what is copied to it does not reach",
		Cure:    "afterwards, on each of them: setup-slave --reseed, or compare --repair-table",
	},
}

func makesSlavesStale(j *judgement) {
	repairs := j.Moment == Repair || j.Moment == RepairRows
	var ids []string
	for _, id := range j.Slave.Slaves {
		if id != j.Master.ServerID() { // the rule follows-this is about that
			ids = append(ids, strconv.FormatUint(uint64(id), 10))
		}
	}
	if len(ids) == 0 || !repairs && (!j.NeedsSeed() || j.Method == journal.SeedNone) {
		return
	}
	cure := "gtunnel replication setup-slave --reseed"
	if j.Moment == Repair {
		cure = journal.RepairCommand(j.Tables)
	} else if repairs {
		cure = "gtunnel replication compare --repair-rows"
	}
	j.sayCure("afterwards, on each of them, once this one is equal to its master: "+cure,
		"it has slaves of its own, with the server ids %s: what is copied stays out of its binary log, so that they keep"+
			" what they have now, and their status does not tell", finding.Items(ids))
}
