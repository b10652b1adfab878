package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// CaseOfName is the code of names that the filter takes for the same.
const CaseOfName = "case-of-name"

// checkNames refuses other databases whose names differ from those of the wanted
// ones in case only. MariaDB's filter takes them for the same, so that changes of
// one would be made in the other; so do its lists, as those of MySQL before 8.0.
func checkNames(master, slave *facts.Facts, databases []string) finding.Findings {
	var found finding.Findings
	if master.Version.AtLeast(server.MySQL, 8, 0, 0) && slave.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return found
	}
	for _, f := range []*facts.Facts{master, slave} {
		for _, name := range f.DatabaseNames() {
			i := slices.IndexFunc(databases, func(wanted string) bool { return strings.EqualFold(wanted, name) })
			if i >= 0 && !slices.Contains(databases, name) {
				found.Problem(f.Role, CaseOfName, "rename or drop it, or replicate both", "the name of its database %s differs from that of %s in case only, which MariaDB's filter and the lists of older servers take for the same", name, databases[i])
			}
		}
	}
	return found
}
