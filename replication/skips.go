package replication

import "strings"

// skipsErrors is the problem of a slave that is told to go on after errors: its
// data comes to differ from the master's, and nothing tells. It is nil for a
// slave that stops at them.
func skipsErrors(f *Facts) *Problem {
	const compare = "; then see what differs: gtunnel replication compare"
	modes, numbers := []string{"replica_exec_mode", "slave_exec_mode"}, []string{"replica_skip_errors", "slave_skip_errors"}
	if mode := f.variable(modes...); strings.EqualFold(mode, "IDEMPOTENT") {
		name := f.variableName(modes...)
		return problem(Slave, "skips-errors", "SET GLOBAL "+name+"=STRICT, and in its option files"+compare,
			"%s is %s: a row that is missing, or there already, is passed over in silence", name, mode)
	}
	if skipped := f.variable(numbers...); skipped != "" && !strings.EqualFold(skipped, "OFF") {
		name := f.variableName(numbers...)
		return problem(Slave, "skips-errors", "remove "+name+" from its option files and restart it"+compare,
			"%s is %s: changes that fail with these errors are passed over in silence", name, skipped)
	}
	return nil
}

// variableName gives the first of several names that the server has.
func (f *Facts) variableName(names ...string) string {
	for _, name := range names {
		if _, ok := f.Variables[name]; ok {
			return name
		}
	}
	return ""
}
