package rules

import (
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// sessionRules are about the programs that are connected to a master.
var sessionRules = []Rule{{
	Code: "old-sessions", On: finding.Master, Warning: SetupMaster | SetupSlave, judge: logsAsBefore,
	Meaning: "programs that have been connected since before binlog_format was changed log in the old format",
	Cure:    "restart these programs, or let them connect anew, before the copy",
}}

// logsAsBefore finds sessions that log in a format of before. None outlives a
// restart of the server.
func logsAsBefore(j *judgement) {
	f, old := j.facts, j.OldSessions
	if old == nil || f.Started.Sub(old.Started).Abs() > time.Minute { // it has restarted since
		return
	}
	var programs []string
	for _, s := range f.Sessions {
		if name := s.User + "@" + s.Host; s.ID < old.Before && !slices.Contains(programs, name) {
			programs = append(programs, name)
		}
	}
	if len(programs) > 0 {
		j.say("programs that are connected since before binlog_format was changed keep %s, "+
			"by which the slave can get other data: %s", old.Format, finding.Items(programs))
	}
}
