package rules

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// skipRules are about slaves that are told to go on after errors.
var skipRules = []Rule{
	{
		Code: "skips-errors", On: finding.Slave, Problem: CheckServer | SetupSlave | Status, judge: skipsErrors,
		Meaning: "the slave passes errors over in silence: its data comes to differ from the master's",
		Cure:    "SET GLOBAL slave_exec_mode=STRICT, or remove slave_skip_errors, also from its option files" + thenCompare,
	},
	{
		Code: "skips-events", On: finding.Slave, Needs: Connection, Problem: CheckServer | SetupSlave | Status,
		judge:   skipsEvents,
		Meaning: "the slave is told to pass over changes at its next start",
		Cure:    "SET GLOBAL sql_slave_skip_counter=0, the slave stopped",
	},
	{
		Code: "lossy-conversions", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: convertsWithLoss,
		Meaning: "the slave cuts values that do not fit its columns in silence",
		Cure:    "SET GLOBAL slave_type_conversions='', and in its option files",
	},
}

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

func skipsEvents(j *judgement) {
	if n := j.Connection().SkipCounter; n > 0 {
		v := j.Slave.Version
		name := v.Word("sql_slave_skip_counter", "sql_replica_skip_counter")
		j.sayCure(v.StopSlave(server.SQLThread).String()+"; SET GLOBAL "+name+"=0; "+v.StartSlave(server.SQLThread).String(),
			"the slave is told to pass over the next %s that it should apply",
			finding.Count(int(n), "event")) // #nosec G115 -- it has 32 bits
	}
}

func convertsWithLoss(j *judgement) {
	names := []string{"replica_type_conversions", "slave_type_conversions"}
	if value, name := j.facts.Variable(names...), j.facts.VariableName(names...); strings.Contains(value, "ALL_LOSSY") {
		j.sayCure("SET GLOBAL "+name+"='', and in its option files",
			"%s=%s: a value that does not fit the slave's column is cut in silence", name, value)
	}
}
