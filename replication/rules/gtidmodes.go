package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// gtidModes are MySQL's gtid_modes. A server goes from one to the next only.
var gtidModes = []string{"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"}

// checkGTIDModes says whether a slave can follow transactions as its master marks
// them: with gtid_mode OFF it takes none that may have a GTID, and with ON none
// that may have none (error 13117).
func checkGTIDModes(master, slave *facts.Facts) finding.Findings {
	var found finding.Findings
	from, to := slave.Variable("gtid_mode"), master.Variable("gtid_mode")
	is, wanted := slices.Index(gtidModes, from), slices.Index(gtidModes, to)
	if is < 0 || wanted < 0 { // one is not MySQL
		return found
	}
	if (from != "OFF" || wanted < 2) && (from != "ON" || wanted > 1) {
		return found
	}
	var steps []string
	if wanted > is {
		steps = append(steps, "SET GLOBAL enforce_gtid_consistency=ON")
	}
	for is != wanted {
		if is++; wanted < is {
			is -= 2
		}
		steps = append(steps, "SET GLOBAL gtid_mode="+gtidModes[is])
	}
	kept := "gtid_mode=" + to
	if wanted > 1 {
		kept = "enforce_gtid_consistency=ON and " + kept
	}
	found.Problem(finding.Slave, "gtid-mode", "on the slave: "+strings.Join(steps, "; ")+"; and "+kept+" in its option files",
		"gtid_mode is %s, and %s on the master: the slave would refuse its transactions", from, to)
	return found
}
