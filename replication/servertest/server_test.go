package servertest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// patience bounds all that waits for servers, which are slow on a loaded
// machine.
const patience = 3 * time.Minute

// newLab makes a Lab that ends with the test.
func newLab(t *testing.T) *servertest.Lab {
	t.Helper()
	lab, err := servertest.NewLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return lab
}

// start starts a server. Where its programs are missing, the test fails in CI
// and is skipped elsewhere.
func start(t *testing.T, lab *servertest.Lab, kind servertest.Kind, o servertest.Options) *servertest.Server {
	t.Helper()
	t.Attr("needs", string(kind))
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := lab.Start(ctx, kind, o)
	if missing, ok := errors.AsType[*servertest.MissingError](err); ok {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", missing, missing.Hint())
		}
		t.Skipf("%v: %s", missing, missing.Hint())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServers starts two servers of each kind and looks at what tests rely on.
func TestServers(t *testing.T) {
	for _, kind := range servertest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			lab := newLab(t)
			a := start(t, lab, kind, servertest.Options{ServerID: 1})
			b := start(t, lab, kind, servertest.Options{ServerID: 2, NoLog: true})
			value := func(s *servertest.Server, query string) (v string) {
				t.Helper()
				if err := s.DB.QueryRowContext(ctx, query).Scan(&v); err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				return v
			}
			t.Attr("version", value(a, "SELECT VERSION()"))
			if value(a, "SELECT @@server_id") != "1" || value(b, "SELECT @@server_id") != "2" {
				t.Error("the server ids are not those of the options")
			}
			if value(a, "SELECT @@log_bin") != "1" || value(b, "SELECT @@log_bin") != "0" {
				t.Error("the binary logs are not as in the options")
			}
			if kind.IsMySQL() && value(a, "SELECT @@server_uuid") == value(b, "SELECT @@server_uuid") {
				t.Error("both have the same UUID")
			}
			for _, statement := range []string{
				"CREATE DATABASE d", "CREATE TABLE d.t (a INT PRIMARY KEY)", "INSERT INTO d.t VALUES (7)",
				"CREATE USER x@'127.0.0.1' IDENTIFIED BY 'y z'", "GRANT SELECT ON d.* TO x@'127.0.0.1'",
			} {
				if _, err := a.DB.ExecContext(ctx, statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			db, err := a.Open("x", "y z")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var n int
			if err := db.QueryRowContext(ctx, "SELECT a FROM d.t").Scan(&n); err != nil || n != 7 {
				t.Errorf("by TCP: %d, %v", n, err)
			}
			// What is in the folder of option files counts after a restart,
			// and the data is still there.
			if err := os.WriteFile(filepath.Join(a.ConfigDir, "zz.cnf"), []byte("[mysqld]\nmax_connections=77\n"), 0o644); err !=
				nil {
				t.Fatal(err)
			}
			if err := a.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			if got := value(a, "SELECT @@max_connections"); got != "77" {
				t.Errorf("max_connections is %s after the restart", got)
			}
			a.Kill()
			if err := a.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if got := value(a, "SELECT a FROM d.t"); got != "7" {
				t.Errorf("the row is %s after a crash", got)
			}
		})
	}
}
