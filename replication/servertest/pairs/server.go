package pairs

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Patience bounds all that waits for servers, which are slow on a loaded
// machine.
const Patience = 3 * time.Minute

// lab has the servers of this process.
var lab struct {
	once sync.Once
	*servertest.Lab
	err     error
	mu      sync.Mutex
	servers map[string]*sharedServer
}

// sharedServer is a server that is started when the first test asks for it.
type sharedServer struct {
	mu sync.Mutex
	*Server
}

// Main runs the tests of a package, ends their servers, and gives the status
// to exit with.
func Main(m *testing.M) int {
	code := m.Run()
	if lab.Lab != nil {
		if err := lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Server is a running server, with what tests ask of it. What fails ends the
// test.
type Server struct {
	*servertest.Server
}

// String is the server's name.
func (s *Server) String() string { return s.Name }

// SharedServer gives a server that all tests of a package share, by its name.
// Where its programs are missing, the test fails in CI and is skipped elsewhere.
func SharedServer(t *testing.T, kind servertest.Kind, name string, id int) *Server {
	t.Helper()
	need(t, kind)
	s, err := shared(t.Context(), kind, name, id)
	mustStart(t, err)
	return s
}

// OwnServer starts a server that no other test uses, and that ends with the
// test.
func OwnServer(t *testing.T, kind servertest.Kind, name string, id int) *Server {
	t.Helper()
	need(t, kind)
	s, err := start(t.Context(), kind, string(kind)+" "+name, id)
	mustStart(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// need says what servers a test needs, and leaves it out where none shall run.
func need(t *testing.T, kinds ...servertest.Kind) {
	t.Helper()
	for _, kind := range slices.Compact(kinds) {
		t.Attr("needs", string(kind))
	}
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
}

// mustStart ends the test if a server has not started.
func mustStart(t *testing.T, err error) {
	t.Helper()
	if missing, ok := errors.AsType[*servertest.MissingError](err); ok {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", missing, missing.Hint())
		}
		t.Skipf("%v: %s", missing, missing.Hint())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shared gives the shared server of a name, and starts it if nobody has.
func shared(ctx context.Context, kind servertest.Kind, name string, id int) (*Server, error) {
	lab.mu.Lock()
	s := lab.servers[name]
	if s == nil {
		if lab.servers == nil {
			lab.servers = map[string]*sharedServer{}
		}
		s = &sharedServer{}
		lab.servers[name] = s
	}
	lab.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Server == nil {
		started, err := start(ctx, kind, name, id)
		if err != nil {
			return nil, err
		}
		s.Server = started
	}
	return s.Server, nil
}

// start starts a server in the lab of this process.
func start(ctx context.Context, kind servertest.Kind, name string, id int) (*Server, error) {
	lab.once.Do(func() { lab.Lab, lab.err = servertest.NewLab() })
	if lab.err != nil {
		return nil, lab.err
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	options := servertest.Options{Name: name, ServerID: id}
	if kind.IsMySQL() {
		options.Flags = []string{"--gtid-mode=ON", "--enforce-gtid-consistency=ON"}
	}
	s, err := lab.Start(ctx, kind, options)
	if err != nil {
		return nil, err
	}
	return &Server{Server: s}, nil
}

// Exec runs statements, each in any session.
func (s *Server) Exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %s: %v", s, statement, err)
		}
	}
}

// ExecTogether runs statements in one session, which no other gets afterwards.
func (s *Server) ExecTogether(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := s.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close() // it is closed
	}()
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %s: %v", s, statement, err)
		}
	}
}

// Rows gives the rows of a query, each value as text.
func (s *Server) Rows(t *testing.T, query string) [][]string {
	t.Helper()
	rows, err := s.DB.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %s: %v", s, query, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says what is wrong
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = "NULL"
			if v.Valid {
				row[i] = v.String
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %s: %v", s, query, err)
	}
	return all
}

// Values gives the first column of a query.
func (s *Server) Values(t *testing.T, query string) []string {
	t.Helper()
	var first []string
	for _, row := range s.Rows(t, query) {
		first = append(first, row[0])
	}
	return first
}

// Count gives the number of a table's rows that meet a condition.
func (s *Server) Count(t *testing.T, table, where string) int {
	t.Helper()
	n, err := strconv.Atoi(s.Values(t, "SELECT COUNT(*) FROM "+table+" WHERE "+where)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Lets reports whether a statement gets the locks that it needs within a
// second. It may be called by any goroutine.
func (s *Server) Lets(ctx context.Context, t *testing.T, statement string) bool {
	t.Helper()
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		t.Error(err)
		return true
	}
	defer func() { _ = conn.Close() }() // what failed is said already
	for _, statement := range []string{"SET SESSION lock_wait_timeout=1", statement} {
		_, err = conn.ExecContext(ctx, statement)
	}
	return err == nil
}

// WaitUntil waits until something is so, and ends the test if it never is.
// state says how it is meanwhile.
func WaitUntil(t testing.TB, what string, is func() (state string, ok bool)) {
	t.Helper()
	WaitFor(t, Patience, what, is)
}

// WaitFor waits like WaitUntil, for as long as it is told.
func WaitFor(t testing.TB, patience time.Duration, what string, is func() (state string, ok bool)) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
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

// SetGlobal sets a variable of new sessions until the test ends.
func (s *Server) SetGlobal(t *testing.T, name, value, usual string) {
	t.Helper()
	s.Exec(t, "SET GLOBAL "+name+"="+value)
	t.Cleanup(func() {
		Run(context.WithoutCancel(t.Context()), t, s.DB, []string{"SET GLOBAL " + name + "=" + usual})
	})
}
