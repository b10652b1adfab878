package server_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// TestServer asks a server of each family for what the rooms above ask it.
func TestServer(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			at := pairs.SharedServer(t, kind, string(kind)+" master", 11)
			s := at.AsRoot(t, finding.Master)
			ctx := t.Context()
			if id, err := s.Value(ctx, s.DB, "SELECT @@server_id"); id != "11" || err != nil {
				t.Errorf("server_id is %q, %v", id, err)
			}
			err := s.Run(ctx, []server.Statement{
				server.SQL("CREATE DATABASE asked"),
				server.SQL("CREATE TABLE asked.t (id INT, word VARCHAR(%d))", 20),
				server.SQL("INSERT INTO asked.t VALUES (1, NULL), (2, 'two')"),
			})
			if err != nil {
				t.Fatal(err)
			}
			records, err := s.Query(ctx, s.DB, "SELECT id AS ID, word FROM asked.t WHERE id > ? ORDER BY id", 0)
			if err != nil || len(records) != 2 || records[0]["id"] != "1" || records[1]["word"] != "two" {
				t.Errorf("the rows are %v, %v", records, err)
			}
			logs, err := s.BinaryLogs(ctx, s.DB)
			if err != nil || len(logs) == 0 || logs[len(logs)-1].Bytes == 0 {
				t.Errorf("the binary logs are %v, %v", logs, err)
			}
			if status, err := s.SlaveStatus(ctx, s.DB); status != nil || err != nil {
				t.Errorf("it is a slave: %+v, %v", status, err)
			}
			processes, err := s.Processes(ctx, s.DB)
			own := func(p server.Process) bool { return p.User == at.User }
			if err != nil || !slices.ContainsFunc(processes, own) {
				t.Errorf("the processes are %+v, %v", processes, err)
			}
			drop := server.SQL("DROP DATABASE asked")
			if err := s.Run(ctx, []server.Statement{drop, drop}); server.ErrorNumber(err) != 1008 {
				t.Errorf("what is dropped twice: %v", err)
			}
		})
	}
}

// TestLock: two runs do not work on one server at once.
func TestLock(t *testing.T) {
	at := pairs.SharedServer(t, servertest.MariaDB, "mariadb master", 11)
	one, two := at.AsRoot(t, finding.Slave), at.AsRoot(t, finding.Slave)
	unlock, err := one.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Lock(t.Context()); !finding.HasCode(err, "busy") {
		t.Errorf("the second got %v", err)
	}
	if busy, err := two.Busy(t.Context(), two.DB); !busy || err != nil {
		t.Errorf("busy: %v, %v", busy, err)
	}
	unlock()
	unlock, err = two.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestOpenRefused: what keeps a login out is said in plain words, with a cure, and
// without the password.
func TestOpenRefused(t *testing.T) {
	at := pairs.SharedServer(t, servertest.MariaDB, "mariadb master", 11)
	at.AsAdministrator(t, finding.Slave) // makes the account
	for name, c := range map[string]struct {
		login  server.Login
		code   string
		cure   string // words of it
		denied bool
	}{
		"wrong password": {
			login: server.Login{
				Network: "tcp", Address: at.Address(), User: pairs.Administrator, Password: server.NewPassword("wrong-Pw1"),
			},
			code: "sql", cure: "is its password right?", denied: true,
		},
		"no socket": {
			login: server.Login{Network: "unix", Address: at.Socket + ".none", User: at.User},
			code:  "connect", cure: "is the server running",
		},
	} {
		_, err := server.Open(t.Context(), finding.Slave, c.login)
		problem, ok := errors.AsType[*finding.Problem](err)
		if !ok || problem.Code != c.code || !strings.Contains(problem.Cure, c.cure) ||
			server.IsAccessDenied(err) != c.denied || strings.Contains(problem.Error(), "Pw1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
