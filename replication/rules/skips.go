package rules

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// skipRules are about slaves that are told to go on after errors.
var skipRules = []Rule{{
	Code: "skips-errors", On: finding.Slave, Problem: CheckServer | SetupSlave | Status, judge: skipsErrors,
	Meaning: "the slave passes errors over in silence: its data comes to differ from the master's",
	Cure:    "SET GLOBAL slave_exec_mode=STRICT, or remove slave_skip_errors, also from its option files" + thenCompare,
}}

const thenCompare = "; then see what differs: gtunnel replication compare"

func skipsErrors(j *judgement) {
	f := j.facts
	modes := []string{"replica_exec_mode", "slave_exec_mode"}
	if mode, name := f.Variable(modes...), f.VariableName(modes...); strings.EqualFold(mode, "IDEMPOTENT") {
		j.sayCure("SET GLOBAL "+name+"=STRICT, and in its option files"+thenCompare,
			"%s is %s: a row that is missing, or there already, is passed over in silence", name, mode)
		return
	}
	numbers := []string{"replica_skip_errors", "slave_skip_errors"}
	skipped, name := f.Variable(numbers...), f.VariableName(numbers...)
	if skipped != "" && !strings.EqualFold(skipped, "OFF") {
		j.sayCure("remove "+name+" from its option files and restart it"+thenCompare,
			"%s is %s: changes that fail with these errors are passed over in silence", name, skipped)
	}
}
