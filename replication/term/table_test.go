package term_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/term"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// TestTable: the row is written, not logged, and read by the monitor account; read-only
// servers take it, and are as read-only afterwards as before, whatever fails.
func TestTable(t *testing.T) {
	for _, kind := range servertest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			at := pairs.OwnServer(t, kind, "table", 11)
			root := at.AsRoot(t, finding.Master)
			const password = "only to read"
			at.ExecTogether(t, "SET sql_log_bin=0",
				"CREATE USER '"+facts.MonitorUser+"'@'127.0.0.1' IDENTIFIED BY '"+password+"'")
			monitor := at.Login(t, finding.Master, server.Login{
				Network: "tcp", Address: at.Address(), User: facts.MonitorUser, Password: server.NewPassword(password),
			})
			_, err := term.ReadRecord(t.Context(), monitor, monitor.DB)
			if !finding.HasCode(err, "pair-table") && err != nil {
				t.Errorf("before there is a table: %v", err)
			}
			if r, err := term.ReadRecord(t.Context(), root, root.DB); r != nil || err != nil {
				t.Errorf("there is no table, and it reads %+v, %v", r, err)
			}
			before := position(t, root)
			for range 2 {
				must(t, root.Run(t.Context(), term.MakeTable(facts.MonitorUser, server.Loopback)))
			}
			if r, err := term.ReadRecord(t.Context(), monitor, monitor.DB); r != nil || err != nil {
				t.Errorf("there is no row, and it reads %+v, %v", r, err)
			}
			writeAndRead(t, root, monitor)
			if after := position(t, root); after != before {
				t.Errorf("it was logged: %s, and %s before", after, before)
			}
			at.ExecTogether(t, "SET sql_log_bin=0", "REPLACE INTO gtunnel.pair VALUES (1, '{\"format\": 99}')")
			if _, err := term.ReadRecord(t.Context(), monitor, monitor.DB); !finding.HasCode(err, "pair-table") {
				t.Errorf("of a later format: %v", err)
			}
			at.ExecTogether(t, "SET sql_log_bin=0", "DROP TABLE gtunnel.pair", "SET GLOBAL read_only=1")
			super := kind.IsMySQL()
			if super {
				at.Exec(t, "SET GLOBAL super_read_only=1")
			}
			if err := term.PublishRecord(t.Context(), root, term.Record{}, super); server.ErrorNumber(err) != 1146 {
				t.Errorf("without a table: %v", err)
			}
			mustBeReadOnly(t, root, super)
		})
	}
}

// writeAndRead writes the row while the server is writable, and while it is read-only.
func writeAndRead(t *testing.T, root, monitor *server.Server) {
	t.Helper()
	super := root.Version.Family == server.MySQL
	for i, readOnly := range []bool{false, true} {
		if readOnly {
			set := []server.Statement{server.SQL("SET GLOBAL read_only=1")}
			if super {
				set = append(set, server.SQL("SET GLOBAL super_read_only=1"))
			}
			must(t, root.Run(t.Context(), set))
		}
		want := term.Record{
			Format: 1, HostID: `it's "quoted" \ 100%`, Name: here, Term: second, Withdrawn: "ü",
			LoggedIn: time.Now().UTC().Truncate(time.Millisecond), Request: &term.Request{Number: uint64(i)},
		}
		must(t, term.PublishRecord(t.Context(), root, want, super && readOnly))
		r, err := term.ReadRecord(t.Context(), monitor, monitor.DB)
		if err != nil || !r.Says(want) {
			t.Errorf("it reads %+v, %v", r, err)
		}
		if want.LoginErr = "no"; r.Says(want) {
			t.Error("what is not the same is taken for it")
		}
		if readOnly {
			mustBeReadOnly(t, root, super)
		}
	}
	must(t, root.Run(t.Context(), []server.Statement{server.SQL("SET GLOBAL read_only=0")}))
}

func mustBeReadOnly(t *testing.T, s *server.Server, super bool) {
	t.Helper()
	v, err := s.Variables(t.Context(), s.DB, "read_only", "super_read_only")
	if err != nil || v["read_only"] != "ON" || (v["super_read_only"] == "ON") != super {
		t.Errorf("read-only are %v, %v", v, err)
	}
}

func position(t *testing.T, s *server.Server) string {
	t.Helper()
	p, err := s.Position(t.Context(), s.DB)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{p.String(), p.GTID}, " ")
}

// TestSuperReadOnlyComesBack: a publication that is cut off between leaves MySQL as
// read-only as it was.
func TestSuperReadOnlyComesBack(t *testing.T) {
	at := pairs.OwnServer(t, servertest.MySQL97, "super", 11)
	root := at.AsRoot(t, finding.Master)
	must(t, root.Run(t.Context(), term.MakeTable(at.User, "localhost")))
	at.Exec(t, "SET GLOBAL super_read_only=1")
	holder, err := at.DB.Conn(t.Context())
	must(t, err)
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := term.PublishRecord(ctx, root, term.Record{}, true); err == nil || errors.Is(err, term.ErrChanged) {
		t.Errorf("it was written under a lock: %v", err)
	}
	mustBeReadOnly(t, root, true)
}

// TestPublishersMeet: guard and command write the row at the same time, and neither knows
// that the other has just set super_read_only again.
func TestPublishersMeet(t *testing.T) {
	at := pairs.OwnServer(t, servertest.MySQL97, "meet", 12)
	root := at.AsRoot(t, finding.Master)
	must(t, root.Run(t.Context(), term.MakeTable(at.User, "localhost")))
	at.Exec(t, "SET GLOBAL super_read_only=1")
	want := term.Record{HostID: "h", Name: "server1"}
	must(t, term.PublishRecord(t.Context(), root, want, false))
	mustBeReadOnly(t, root, true)
	row, err := term.ReadRecord(t.Context(), root, root.DB)
	must(t, err)
	if !row.Says(want) {
		t.Errorf("the row says %+v", row)
	}
}
