package facts_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestRead reads what is true of a server with one database, one account and one
// session.
func TestRead(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			_, at := pair.Start(t)
			at.Exec(t, "DROP DATABASE IF EXISTS facts_read",
				"CREATE DATABASE facts_read CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
				"CREATE TABLE facts_read.t (id INT PRIMARY KEY)", "CREATE TABLE facts_read.old (id INT) ENGINE=MyISAM",
				"CREATE VIEW facts_read.v AS SELECT 1", "CREATE PROCEDURE facts_read.p() SELECT 1",
				"CREATE EVENT facts_read.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1")
			defer at.Exec(t, "DROP DATABASE facts_read")
			for _, role := range []finding.Role{finding.Master, finding.Slave} {
				f, err := facts.Read(t.Context(), at.AsRoot(t, role))
				if err != nil {
					t.Fatal(err)
				}
				if f.Role != role || f.ServerID() != 12 || !f.HasBinaryLog() || len(f.BinaryLogs) == 0 ||
					f.MasterLog.IsZero() || f.Variable("no_such", "server_id") != "12" {
					t.Errorf("as %s: %+v", role, f)
				}
				if (f.UUID() != "") != pair.Slave.IsMySQL() || f.Identity() == "" || f.Version.String() == "" {
					t.Errorf("as %s it is %s, %s, %s", role, f.Version, f.UUID(), f.Identity())
				}
				d := f.Database("facts_read")
				if d == nil || d.Tables != 2 || d.Others != 1 || d.Routines != 1 || d.Events != 1 ||
					!slices.Equal(d.Locked, []string{"old"}) && !slices.Equal(d.Locked, []string{"facts_read.old"}) {
					t.Errorf("as %s the database is %+v", role, d)
				}
				if f.Database("facts_none") != nil || f.Account("root", "localhost") == nil ||
					!f.HasPrivilege("SELECT") || f.Master() != nil {
					t.Errorf("as %s it says otherwise of what is not there: %+v", role, f.Accounts)
				}
			}
		})
	}
}
