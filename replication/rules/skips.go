package rules

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// SkipsErrors is the problem of a slave that is told to go on after errors: its
// data comes to differ from the master's, and nothing tells. It is nil for a
// slave that stops at them.
func SkipsErrors(f *facts.Facts) *finding.Problem {
	const compare = "; then see what differs: gtunnel replication compare"
	modes, numbers := []string{"replica_exec_mode", "slave_exec_mode"}, []string{"replica_skip_errors", "slave_skip_errors"}
	if mode := f.Variable(modes...); strings.EqualFold(mode, "IDEMPOTENT") {
		name := f.VariableName(modes...)
		return finding.New(finding.Slave, "skips-errors", "SET GLOBAL "+name+"=STRICT, and in its option files"+compare,
			"%s is %s: a row that is missing, or there already, is passed over in silence", name, mode)
	}
	if skipped := f.Variable(numbers...); skipped != "" && !strings.EqualFold(skipped, "OFF") {
		name := f.VariableName(numbers...)
		return finding.New(finding.Slave, "skips-errors", "remove "+name+" from its option files and restart it"+compare,
			"%s is %s: changes that fail with these errors are passed over in silence", name, skipped)
	}
	return nil
}
