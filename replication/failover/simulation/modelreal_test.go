package simulation

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// noGuard is a guard that does nothing.
func noGuard(ctx context.Context, _ *process) error {
	<-ctx.Done()
	return nil
}

// realRig is a pair of real servers, whose GTIDs are told as if the script had begun with none.
type realRig struct {
	t        *testing.T
	kind     servertest.Kind
	hosts    map[string]*failovertest.Host
	sessions map[string]*sql.Conn
	base     map[string]uint64 // the last number before the script: of each server_uuid; MariaDB: of ""
	uuids    map[string]string
}

func newRealRig(t *testing.T, kind servertest.Kind) *realRig {
	t.Helper()
	p := failovertest.New(t, kind)
	r := &realRig{
		t: t, kind: kind, hosts: map[string]*failovertest.Host{"A": p.A, "B": p.B}, sessions: map[string]*sql.Conn{},
		base: map[string]uint64{}, uuids: map[string]string{},
	}
	p.Sync(p.A)
	for i, name := range []string{"A", "B"} {
		if !kind.IsMySQL() {
			r.base[""] = lastNumber(p.A.Value("SELECT @@GLOBAL.gtid_binlog_pos"))
			continue
		}
		id := r.hosts[name].Value("SELECT @@GLOBAL.server_uuid")
		r.uuids[id] = uuid(i + 1)
		for part := range strings.SplitSeq(r.hosts[name].Value("SELECT @@GLOBAL.gtid_executed"), ",") {
			if strings.HasPrefix(strings.TrimSpace(part), id) {
				r.base[id] = lastNumber(part)
			}
		}
	}
	return r
}

// familyOf is the family of a kind.
func familyOf(kind servertest.Kind) server.Family {
	if kind.IsMySQL() {
		return server.MySQL
	}
	return server.MariaDB
}

// lastNumber is the last number of a GTID or of an interval.
func lastNumber(text string) uint64 {
	n, _ := strconv.ParseUint(text[strings.LastIndexAny(text, "-:")+1:], 10, 64)
	return n
}

func (r *realRig) family() server.Family {
	if r.kind.IsMySQL() {
		return server.MySQL
	}
	return server.MariaDB
}

func (r *realRig) port(name string) int { return r.hosts[name].Port }
func (r *realRig) kill(name string)     { r.hosts[name].KillServer() }
func (r *realRig) start(name string)    { r.hosts[name].StartServer() }

func (r *realRig) run(name, in, statement string) string {
	ctx, cancel := context.WithTimeout(r.t.Context(), failovertest.Patience)
	defer cancel()
	s, err := r.hosts[name].Failover().Own(ctx)
	if err != nil {
		return err.Error()
	}
	if in == "" {
		defer func() { _ = s.Close() }()
	} else {
		r.t.Cleanup(func() { _ = s.Close() })
	}
	conn := r.sessions[name+in]
	if conn == nil || in == "" {
		if conn, err = s.DB.Conn(ctx); err != nil {
			return err.Error()
		}
		if in == "" {
			defer server.Discard(conn)
		} else {
			r.sessions[name+in] = conn
		}
	}
	rows, err := server.ReadRecords(ctx, conn, statement)
	switch {
	case err != nil && server.ErrorNumber(err) == 0:
		return err.Error()
	case err != nil:
		return fmt.Sprint(server.ErrorNumber(err))
	case len(rows) == 0:
		return ""
	}
	for _, value := range rows[0] {
		return value
	}
	return "NULL"
}

func (r *realRig) write(name string, row int) string {
	config := mysql.NewConfig()
	config.Net, config.Addr = "unix", r.hosts[name].Server.Socket
	config.User, config.Passwd = failovertest.AppUser, failovertest.AppPassword
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err.Error()
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
	defer cancel()
	_, err = db.ExecContext(ctx, "INSERT INTO "+failovertest.Table+" (id, host, at) VALUES (?, ?, NOW(6))", row, name)
	switch {
	case err != nil && server.ErrorNumber(err) == 0:
		return err.Error()
	case err != nil:
		return fmt.Sprint(server.ErrorNumber(err))
	}
	return ""
}

func (r *realRig) see(name string) string {
	h := r.hosts[name]
	s, err := h.Failover().Own(r.t.Context())
	if err != nil {
		return name + " is down"
	}
	defer func() { _ = s.Close() }()
	ask := func(query string) []server.Record {
		rows, err := s.Query(r.t.Context(), s.DB, query)
		if err != nil {
			return nil
		}
		return rows
	}
	var rows []int
	for _, row := range ask("SELECT id FROM " + failovertest.Table) {
		rows = append(rows, int(row.Number("id")))
	}
	return r.relative(seen(s.Version.Family, name, ask, rows))
}

var (
	mariaGTID = regexp.MustCompile(`\b0-(\d+)-(\d+)\b`)
	mysqlSet  = regexp.MustCompile(`([0-9a-f]{8}-[0-9a-f-]{27}):([0-9:-]+)`)
)

// relative tells GTIDs as if the script had begun with none.
func (r *realRig) relative(text string) string {
	if !r.kind.IsMySQL() {
		return mariaGTID.ReplaceAllStringFunc(text, func(g string) string {
			m := mariaGTID.FindStringSubmatch(g)
			n, _ := strconv.ParseUint(m[2], 10, 64)
			if n <= r.base[""] {
				return ""
			}
			return fmt.Sprintf("0-%s-%d", m[1], n-r.base[""])
		})
	}
	return mysqlSets.ReplaceAllStringFunc(text, func(set string) string {
		var all []gtid
		for part := range strings.SplitSeq(set, ",") {
			id, intervals, _ := strings.Cut(strings.TrimSpace(part), ":")
			for _, g := range parseSet(r.uuids[id] + ":" + intervals) {
				if g.number > r.base[id] {
					all = append(all, gtid{g.server, g.number - r.base[id]})
				}
			}
		}
		return formatSet(all)
	})
}

// mysqlSets is a whole set.
var mysqlSets = regexp.MustCompile(mysqlSet.String() + `(?:,` + mysqlSet.String() + `)*`)
