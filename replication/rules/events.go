package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// eventRules are about events of the master that run on the slave too. A setup
// disables them, and says so in its plan.
var eventRules = []Rule{{
	Code: "events-enabled", On: finding.Slave, Needs: Connection, Warning: CheckServer | Status, judge: runsEvents,
	Meaning: "events of the master are enabled on the slave, where their changes come by replication too",
	Cure:    "gtunnel replication setup-slave disables them",
}}

func runsEvents(j *judgement) {
	if events := j.enabledEvents(); len(events) > 0 && !j.Seen.Busy {
		j.say("events are enabled which run on the master, and whose changes are "+
			"replicated (event_scheduler is %s here): %s", j.facts.Variable("event_scheduler"), finding.Items(events))
	}
}

// enabledEvents are the events of replicated databases that are enabled on the slave: as
// a status has seen them, or of its databases.
func (s *Subject) enabledEvents() []string {
	events, c := s.Seen.Events, s.Connection()
	for i := range s.Slave.Databases {
		d := &s.Slave.Databases[i]
		for _, e := range d.EnabledEvents {
			if IsOurMaster(c, s.Port) && c.ReplicatesOf(d.Name) {
				events = append(slices.Clip(events), e.Database+"."+e.Name)
			}
		}
	}
	return events
}
