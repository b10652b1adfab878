package compare_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestCompareMasterThatIsASlave compares with a master whose own replication waits for
// events since a while: its threads are no queries that take long.
func TestCompareMasterThatIsASlave(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "chain")
		p.OnMaster(t, "CREATE TABLE chain.t (id INT PRIMARY KEY)", "INSERT INTO chain.t VALUES (1)")
		p.Sync(t)
		change, stop := "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='nobody'",
			[]string{"STOP SLAVE", "RESET SLAVE ALL"}
		start := "START SLAVE SQL_THREAD"
		if p.Master.Version.Family == server.MySQL {
			change, start = "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='nobody'",
				"START REPLICA SQL_THREAD"
			stop = []string{"STOP REPLICA", "RESET REPLICA ALL"}
		}
		p.OnMaster(t, change, start)
		defer p.OnMaster(t, stop...)
		pairs.WaitUntil(t, "thread that has waited for 2 s", func() (string, bool) {
			threads, err := p.Master.Processes(t.Context(), p.MasterDB)
			if err != nil {
				t.Fatal(err)
			}
			for _, thread := range threads {
				if thread.User == "system user" && thread.Time.Seconds() >= 2 {
					return "", true
				}
			}
			return "none", false
		})
		result := compareOn(t, p, compare.Comparison{Databases: []string{"chain"}})
		if !result.Equal() {
			t.Errorf("got %+v", result)
		}
	})
}
