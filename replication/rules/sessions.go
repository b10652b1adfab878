package rules

import (
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// CheckSessions warns of sessions that log in a format of before.
func CheckSessions(f *facts.Facts, old *facts.OldSessions) finding.Findings {
	var found finding.Findings
	if old == nil || f.Started.Sub(old.Started).Abs() > time.Minute { // it has restarted since
		return found
	}
	var programs []string
	for _, s := range f.Sessions {
		if name := s.User + "@" + s.Host; s.ID < old.Before && !slices.Contains(programs, name) {
			programs = append(programs, name)
		}
	}
	if len(programs) > 0 {
		found.Warn(finding.Master, "old-sessions", "restart these programs, or let them connect anew, before the copy",
			"programs that are connected since before binlog_format was changed keep %s, by which the slave can get other data: %s", old.Format, finding.List(programs))
	}
	return found
}
