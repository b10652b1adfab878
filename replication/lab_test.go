package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// patience bounds all that waits for servers, which are slow on a loaded
// machine.
const patience = 3 * time.Minute

// lab has the servers that the tests of this package share.
var lab struct {
	once sync.Once
	*servertest.Lab
	err     error
	mu      sync.Mutex
	servers map[string]*testServer
}

func TestMain(m *testing.M) {
	code := m.Run()
	if lab.Lab != nil {
		if err := lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// waitUntil waits until something is so. state says how it is meanwhile.
func waitUntil(t testing.TB, what string, is func() (state string, ok bool)) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for {
		state, ok := is()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("no %s: %s", what, state)
		}
	}
}

// testServer is a server that tests share: what they make in it has names of
// their own.
type testServer struct {
	*servertest.Server
	db *sql.DB // the administrator's
}

// String is the server's name.
func (s *testServer) String() string { return s.Name }

// sharedServer gives a server that all tests share, by its name. Where its
// programs are missing, the test fails in CI and is skipped elsewhere.
func sharedServer(t *testing.T, kind servertest.Kind, name string, id int) *testServer {
	t.Helper()
	t.Attr("needs", string(kind))
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
	lab.once.Do(func() { lab.Lab, lab.err = servertest.NewLab() })
	if lab.err != nil {
		t.Fatal(lab.err)
	}
	lab.mu.Lock()
	defer lab.mu.Unlock()
	if s := lab.servers[name]; s != nil {
		return s
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options := servertest.Options{Name: name, ServerID: id}
	if kind.IsMySQL() {
		options.Flags = []string{"--gtid-mode=ON", "--enforce-gtid-consistency=ON"}
	}
	started, err := lab.Start(ctx, kind, options)
	if missing, ok := errors.AsType[*servertest.MissingError](err); ok {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", missing, missing.Hint())
		}
		t.Skipf("%v: %s", missing, missing.Hint())
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{started, started.DB}
	if lab.servers == nil {
		lab.servers = map[string]*testServer{}
	}
	lab.servers[name] = s
	return s
}

// pair is a master and a slave, by their kinds.
type pair struct{ master, slave servertest.Kind }

// String names the pair.
func (p pair) String() string { return string(p.master) + " to " + string(p.slave) }

// crosses tells whether the pair is of two families.
func (p pair) crosses() bool { return p.master.IsMySQL() != p.slave.IsMySQL() }

// start gives the pair's servers, and the test the tools of the slave's kind.
func (p pair) start(t *testing.T) (master, slave *testServer) {
	t.Helper()
	t.Setenv("PATH", p.slave.Path())
	if dump, err := p.slave.Find("mysqldump"); err == nil && p.crosses() { // MySQL's logs in to MariaDB by a plugin
		t.Setenv("LIBMYSQL_PLUGIN_DIR", filepath.Join(filepath.Dir(filepath.Dir(dump)), "usr/lib/mysql/plugin"))
	}
	return sharedServer(t, p.master, string(p.master)+" master", 11), sharedServer(t, p.slave, string(p.slave)+" slave", 12)
}

var (
	mariadbPair = pair{servertest.MariaDB, servertest.MariaDB}
	mysqlPair   = pair{servertest.MySQL97, servertest.MySQL97}
	crossedPair = pair{servertest.MariaDB, servertest.MySQL97}
)

// followers are pairs whose slave follows by GTID.
var followers = []pair{mariadbPair, mysqlPair}

// pairs are those between which databases are copied.
var pairs = []pair{
	mariadbPair, mysqlPair,
	{servertest.MariaDB118, servertest.MariaDB118},
	{servertest.MariaDB, servertest.MariaDB118},
	crossedPair,
}
