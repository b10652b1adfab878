package main_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
)

// application is a service with a database on a pair.
type application struct {
	name string // of its files in testdata/applications, and its database
	user string // by which it writes
}

// applications are the services of the topic.
var applications = []application{{"iam", "iam"}, {"fts", "fts3"}}

// appPassword is that of all accounts of the topic.
const appPassword = "a password"

// file is one of the application's.
func (a application) file(t *testing.T, suffix string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "applications", a.name+suffix+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// acts are the transactions of the application: statements, in which :n is a number.
func (a application) acts(t *testing.T) [][]string {
	t.Helper()
	var acts [][]string
	for paragraph := range strings.SplitSeq(a.file(t, "-acts"), "\n\n") {
		var text strings.Builder
		for line := range strings.Lines(paragraph) {
			if !strings.HasPrefix(line, "-- ") {
				text.WriteString(line)
			}
		}
		acts = append(acts, strings.Split(strings.TrimSuffix(strings.TrimSpace(text.String()), ";"), ";\n"))
	}
	return acts
}

// connect is a pool of connections by an account to the host's server.
func (h *pairHost) connect(user, database string) *sql.DB {
	h.t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "unix", h.Server.Socket, database
	config.User, config.Passwd = user, appPassword
	config.Logger = &mysql.NopLogger{}
	isolation := "tx_isolation"
	if h.Server.Kind.IsMySQL() {
		isolation = "transaction_isolation"
	}
	config.Params = map[string]string{isolation: "'READ-COMMITTED'"} // as FTS has it
	connector, err := mysql.NewConnector(config)
	if err != nil {
		h.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	h.t.Cleanup(func() { _ = db.Close() })
	return db
}

// service is the applications at work: on both hosts, of which one is writable.
type service struct {
	p       *twoHosts
	number  atomic.Int64
	done    [2]atomic.Int64 // transactions on either host
	running sync.WaitGroup
	stop    context.CancelFunc
}

// serve lets the applications work until stop is called.
func (p *twoHosts) serve(t *testing.T) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{p: p, stop: cancel}
	for _, a := range applications {
		acts := a.acts(t)
		for i, h := range []*pairHost{p.a, p.b} {
			db := h.connect(a.user, a.user)
			s.running.Go(func() { s.work(ctx, db, acts, &s.done[i]) })
		}
	}
	t.Cleanup(s.end)
	return s
}

// work does one act after the other. On a server that is read-only each fails, and nothing
// else may.
func (s *service) work(ctx context.Context, db *sql.DB, acts [][]string, done *atomic.Int64) {
	for i := 0; ctx.Err() == nil; i++ {
		number := s.number.Add(1)
		err := act(context.WithoutCancel(ctx), db, acts[i%len(acts)], number)
		switch {
		case err == nil:
			done.Add(1)
		case !slices.Contains([]int{isReadOnly, isDeadlock, 0}, server.ErrorNumber(err)):
			s.p.t.Errorf("%s: %v", acts[i%len(acts)], err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Errors that an application must take.
const (
	isReadOnly = 1290
	isDeadlock = 1213
)

// act does a transaction.
func act(ctx context.Context, db *sql.DB, statements []string, number int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, strings.ReplaceAll(statement, ":n", strconv.FormatInt(number, 10))); err != nil {
			_ = tx.Rollback() // the connection may be broken
			return err
		}
	}
	return tx.Commit()
}

// end ends all.
func (s *service) end() {
	s.stop()
	s.running.Wait()
}

// waitFor waits until each application has gone through all that it does on a host.
func (s *service) waitFor(h *pairHost) {
	s.p.t.Helper()
	of := &s.done[map[bool]int{true: 0, false: 1}[h == s.p.a]]
	begun := of.Load()
	waitUntil(s.p.t, "writes of the applications on "+h.Name, func() bool { return of.Load() >= begun+15 })
}

// sqlOf are the blocks of SQL of a topic whose first line is a comment that begins with words.
func sqlOf(t *testing.T, topic, words string) string {
	t.Helper()
	var found strings.Builder
	inside := false
	for line := range strings.Lines(help.Markdown(topic)) {
		if text, ok := strings.CutPrefix(line, "       -- "); ok {
			inside = strings.HasPrefix(text, words)
		}
		inside = inside && strings.HasPrefix(line, "       ")
		if inside {
			found.WriteString(line)
		}
	}
	if found.Len() == 0 {
		t.Fatalf("%s has no SQL %s", topic, words)
	}
	return found.String()
}

// applicationDatabases are those of the applications.
var applicationDatabases = []string{"iam", "fts3"}

// TestApplications has two applications with schemas as those of IAM and FTS at work on a pair
// that is set up as the topic says, with its SQL: all that they do arrives, and goes on after a
// switchover.
func TestApplications(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := setUpApplications(t, kind)
			s := p.serve(t)
			s.waitFor(p.a)
			p.migrates(s)
			p.arrives()
			p.runsEvents(p.a)
			p.keepsReaders()
			p.compare(p.b)

			old := p.a.connect("iam", "iam")
			if err := old.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.b.must("switchover", "--yes")
			s.waitFor(p.b)
			p.tellsOld(old)
			p.runsEvents(p.b)
			s.end()
			p.B.Exec("SET GLOBAL event_scheduler=OFF")
			p.Sync(p.B)
			p.compare(p.a)
			both := &pair{t: t, master: p.b.Server, slave: p.a.Server}
			master, slave := both.dumps(applicationDatabases)
			for _, object := range corpus.Differences(master, slave) {
				t.Errorf("%s is not the same: %s", object, corpus.Unlike(master, slave, object))
			}
		})
	}
}

// setUpApplications is a pair with the databases and accounts of the applications.
func setUpApplications(t *testing.T, kind servertest.Kind) *twoHosts {
	t.Helper()
	p := bareTwoHosts(t, kind, [2][]string{gtids(kind), gtids(kind)})
	paste := func(h *pairHost, sql string) {
		t.Helper()
		if err := corpus.Paste(t.Context(), h.Server, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range applications {
		paste(p.a, a.file(t, ""))
	}
	for _, h := range []*pairHost{p.a, p.b} {
		paste(h, sqlOf(t, "applications", "on both hosts"))
	}
	p.a.setUp("setup-master", "--hand-over", p.handOver, "--databases", strings.Join(applicationDatabases, ","))
	p.b.refuses("in tables without a primary key", "setup-slave", "--hand-over", p.handOver, "--dry-run")
	paste(p.a, sqlOf(t, "applications", "on the master"))
	out, code := p.b.try("setup-slave", "--hand-over", p.handOver, "--yes")
	if code != 0 && strings.Contains(out, "the server must be restarted") {
		if err := p.b.Server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if code != 0 { // or a master with much to do has let no copy begin
		p.b.again("setup-slave", "--hand-over", p.handOver, "--yes")
	}
	for _, h := range []*pairHost{p.a, p.b} {
		h.Exec("SET GLOBAL event_scheduler=ON")
		h.startGuard()
	}
	p.b.again("switchover", "--dry-run") // the guards have tried the logins
	return p
}

// migrates changes the schema as a new version of IAM does, by the account for that.
func (p *twoHosts) migrates(s *service) {
	p.t.Helper()
	schema := p.a.connect("iam_schema", "iam")
	for _, sql := range []string{
		"ALTER TABLE access_token ADD COLUMN token_value_hash CHAR(64) AS (SHA2(token_value, 256)) STORED",
		"ALTER TABLE access_token MODIFY COLUMN token_value_hash CHAR(64) NULL",
		"CREATE UNIQUE INDEX at_tvh_idx ON access_token (token_value_hash)",
		"ALTER TABLE access_token MODIFY token_value VARCHAR(8192)",
		"INSERT INTO schema_version (installed_rank, version, script, success) VALUES (3, '93', 'V93.sql', 1)",
	} {
		if _, err := schema.ExecContext(p.t.Context(), sql); err != nil {
			p.t.Fatalf("%s: %v", sql, err)
		}
		s.waitFor(p.a)
	}
	p.B.Wait("SELECT COUNT(*) FROM iam.schema_version WHERE version='93' AND success", "1")
	hashed := "SELECT COUNT(*) FROM iam.access_token WHERE id <= 3 AND" +
		" UNHEX(token_value_hash) = UNHEX(SHA2(token_value, 256))"
	p.B.Wait(hashed, "3")
}

// arrivals are what the applications do on the master, and what is then so on the slave.
var arrivals = []struct {
	what, user, do string
	query, want    string // on the slave
}{
	{
		"foreign keys that delete", "iam", "DELETE FROM client_details WHERE client_id='deleted'",
		"SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM iam.client_contact WHERE owner_id=3)," +
			" (SELECT COUNT(*) FROM iam.authentication_holder WHERE client_id='deleted')," +
			" (SELECT COUNT(*) FROM iam.authentication_holder_scope WHERE owner_id=3)," +
			" (SELECT COUNT(*) FROM iam.access_token WHERE id=3), (SELECT COUNT(*) FROM iam.token_scope WHERE owner_id=3)," +
			" (SELECT COUNT(*) FROM iam.refresh_token WHERE token_value='r3' AND client_id IS NULL))", "0 0 0 0 0 1",
	},
	{
		"a foreign key that updates", "iam", "UPDATE client_details SET client_id='another' WHERE client_id='renamed'",
		"SELECT COUNT(*) FROM iam.authentication_holder WHERE client_id='another'", "1",
	},
	{
		"JSON", "iam", "UPDATE site_settings SET setting=JSON_SET(setting, '$.colour', 'red')",
		"SELECT JSON_UNQUOTE(JSON_EXTRACT(setting, '$.colour')) FROM iam.site_settings", "red",
	},
	{
		"a trigger, once", "iam", "UPDATE iam_account SET active=0 WHERE username='suspended'",
		"SELECT COUNT(*) FROM iam.site_suspensions", "1",
	},
	{
		"text in another character set than its table's", "fts3",
		"INSERT INTO t_file_backup (job_id, file_state, reason) VALUES ('job', 'FAILED', 'naïve 名')",
		"SELECT COUNT(*) FROM fts3.t_file_backup WHERE reason='naïve 名'", "1",
	},
	{
		"numbers beyond 32 bits", "fts3", "INSERT INTO t_dm_backup VALUES (18446744073709551615, 'job', 'FINISHED', 1e308)",
		"SELECT CONCAT(file_id, ' ', (SELECT MAX(file_id) > 4294967296 FROM fts3.t_file)) FROM fts3.t_dm_backup",
		"18446744073709551615 1",
	},
	{
		"rows without a key, of which one is changed", "fts3", "UPDATE t_server_config SET retry=3 LIMIT 1",
		"SELECT GROUP_CONCAT(retry ORDER BY retry) FROM fts3.t_server_config", "0,3",
	},
	{
		"rows with the key that was added", "fts3", "DELETE FROM t_optimizer_evolution WHERE throughput > 16777",
		"SELECT COUNT(*) FROM fts3.t_optimizer_evolution WHERE throughput > 16777", "0",
	},
}

// arrives does each on the master, and wants it on the slave.
func (p *twoHosts) arrives() {
	p.t.Helper()
	for _, a := range arrivals {
		db := p.a.connect(a.user, a.user)
		_, err := db.ExecContext(p.t.Context(), a.do)
		for server.ErrorNumber(err) == isDeadlock { // with the applications, as it may be
			_, err = db.ExecContext(p.t.Context(), a.do)
		}
		if err != nil {
			p.t.Errorf("%s: %s: %v", a.what, a.do, err)
			continue
		}
		p.B.Wait(a.query, a.want)
	}
}

// runsEvents wants the site's event to run on the master, and there alone.
func (p *twoHosts) runsEvents(master *pairHost) {
	p.t.Helper()
	status := "SELECT status FROM information_schema.events WHERE event_schema='fts3' AND event_name='site_purge'"
	ran := "SELECT COUNT(*) FROM fts3.site_purges WHERE host="
	own, other := ran+master.Value("SELECT @@server_id"), ran+master.peer.Value("SELECT @@server_id")
	waitUntil(p.t, "the event on "+master.Name, func() bool { return master.Value(status) == "ENABLED" })
	before, others := master.Value(own), master.Value(other)
	waitUntil(p.t, "a run of the event on "+master.Name, func() bool { return master.Value(own) != before })
	if is := master.peer.Value(status); is == "ENABLED" {
		p.t.Errorf("the event is %s on the slave %s", is, master.peer.Name)
	}
	if now := master.Value(other); now != others {
		p.t.Errorf("the event has run %s times on the slave, and %s before", now, others)
	}
}

// keepsReaders wants what only reads to work on the slave, and nothing else.
func (p *twoHosts) keepsReaders() {
	p.t.Helper()
	const denied = 1142
	for _, c := range []struct {
		host *pairHost
		user string
		want int
	}{{p.b, "voms_aa", 0}, {p.b, "iam", isReadOnly}, {p.a, "voms_aa", denied}} {
		db := c.host.connect(c.user, "iam")
		var name string
		if err := db.QueryRowContext(p.t.Context(), "SELECT username FROM iam_account WHERE id=1").Scan(&name); err != nil {
			p.t.Errorf("%s cannot read on %s: %v", c.user, c.host.Name, err)
		}
		_, err := db.ExecContext(p.t.Context(), "INSERT INTO iam_revoked_at VALUES ('no', NOW())")
		if got := server.ErrorNumber(err); c.want != 0 && got != c.want || err == nil {
			p.t.Errorf("%s writes on %s: %v, want error %d", c.user, c.host.Name, err, c.want)
		}
	}
}

// tellsOld looks at what a connection of before meets on the old master.
func (p *twoHosts) tellsOld(old *sql.DB) {
	p.t.Helper()
	_, err := old.ExecContext(p.t.Context(), "INSERT INTO iam_revoked_at VALUES ('old', NOW())")
	p.t.Logf("a connection of before: %v", err)
	if got := server.ErrorNumber(err); got != isReadOnly {
		p.t.Errorf("a connection of before meets %v", err)
	}
}
