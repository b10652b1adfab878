package watch

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// ServerDown is the Status of a host whose own server does not answer, for the reason why:
// what is known without it. pair is what was seen of the pair that this host is of; nil: it
// is of none.
func ServerDown(why *finding.Problem, pair *rules.SeenPair) *Status {
	r := &statusReader{Status: &Status{
		Schema: Schema, Time: time.Now(), State: HealthServerDown, Role: finding.Slave,
		Summary:  "the server of this host does not answer",
		Problems: []*finding.Problem{why}, Warnings: []*finding.Problem{},
	}}
	r.seePair(pair)
	if pair == nil {
		return r.Status
	}
	r.Pair.Guard.Runs, r.Pair.Guard.Waits, r.Pair.Guard.Reason = nil, "", r.Summary
	if pair.IsMaster() {
		r.Role = finding.Master
	}
	if t := pair.Note.Term; !t.IsZero() {
		r.Summary += fmt.Sprintf("; by the term %d the master is %s", t.Number, t.Master)
	}
	return r.Status
}
