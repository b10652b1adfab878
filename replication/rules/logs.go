package rules

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// checkLogs warns of passwords that stopLogging cannot keep out of a log. MySQL
// writes none.
func checkLogs(f *facts.Facts) finding.Findings {
	var found finding.Findings
	if f.Version.Family == server.MariaDB && f.On("general_log") && !f.HasPrivilege("SUPER") {
		found.Warn(f.Role, "general-log", "SET GLOBAL general_log=0 for the time of the setup, or log in with SUPER, which can keep them out",
			"it logs every statement, and so the passwords of the replication, in %s", f.Variable("general_log_file"))
	}
	return found
}
