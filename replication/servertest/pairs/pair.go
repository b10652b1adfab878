package pairs

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Pair is a master and a slave, by their kinds.
type Pair struct{ Master, Slave servertest.Kind }

// The pairs that many tests run on. What MariaDB's transactions are called,
// MySQL does not know: its slave follows by file and position.
var (
	MariaDB    = Pair{Master: servertest.MariaDB, Slave: servertest.MariaDB}
	MariaDB118 = Pair{Master: servertest.MariaDB118, Slave: servertest.MariaDB118}
	Upgrade    = Pair{Master: servertest.MariaDB, Slave: servertest.MariaDB118}
	MySQL      = Pair{Master: servertest.MySQL97, Slave: servertest.MySQL97}
	Crossed    = Pair{Master: servertest.MariaDB, Slave: servertest.MySQL97}
)

// Followers are pairs whose slave follows by GTID, one of each family.
var Followers = []Pair{MariaDB, MySQL}

// Usual are those of the Followers on which a long story is told whose steps other tests run
// on both families: MariaDB's, or with GTUNNEL_FAMILIES=all, as by make families, all.
func Usual() []Pair {
	if os.Getenv("GTUNNEL_FAMILIES") == "all" {
		return Followers
	}
	return []Pair{MariaDB}
}

// All are those between which databases are copied.
var All = []Pair{MariaDB, MySQL, MariaDB118, Upgrade, Crossed}

// String names the pair.
func (p Pair) String() string { return string(p.Master) + " to " + string(p.Slave) }

// Crosses reports whether the pair is of two families.
func (p Pair) Crosses() bool { return p.Master.IsMySQL() != p.Slave.IsMySQL() }

// Start gives the pair's servers, which tests share, and the test the tools of
// the slave's kind.
func (p Pair) Start(t *testing.T) (master, slave *Server) {
	t.Helper()
	need(t, p.Master, p.Slave)
	t.Setenv("PATH", p.Slave.Path())
	if dump, err := p.Slave.Find("mysqldump"); err == nil && p.Crosses() { // MySQL's logs in to MariaDB by a plugin
		t.Setenv("LIBMYSQL_PLUGIN_DIR", filepath.Join(filepath.Dir(filepath.Dir(dump)), "usr/lib/mysql/plugin"))
	}
	var starting sync.WaitGroup
	var masterErr, slaveErr error
	starting.Go(func() { master, masterErr = shared(t.Context(), p.Master, string(p.Master)+" master", 11) })
	starting.Go(func() { slave, slaveErr = shared(t.Context(), p.Slave, string(p.Slave)+" slave", 12) })
	starting.Wait()
	mustStart(t, masterErr)
	mustStart(t, slaveErr)
	return master, slave
}
