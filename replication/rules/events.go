package rules

import "github.com/gtunnel/gtunnel/replication/finding"

// eventRules are about events of the master that run on the slave too. A setup
// disables them.
var eventRules = []Rule{{
	Code: "events-enabled", On: finding.Slave, Needs: Connection, Warning: Status, judge: runsEvents,
	Meaning: "events of the master are enabled on the slave, where their changes come by replication too",
	Cure:    "gtunnel replication setup-slave disables them",
}}

func runsEvents(j *judgement) {
	if len(j.Seen.Events) > 0 && !j.Seen.Busy {
		j.say("events are enabled which run on the master, and whose changes are "+
			"replicated (event_scheduler is %s here): %s", j.facts.Variable("event_scheduler"), finding.Items(j.Seen.Events))
	}
}
