package watch_test

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// blocked holds locks of each kind, for which changes of a minute ago wait.
func (p *watchedPair) blocked() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL read_only=0")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')")
	file, offset := p.position()
	p.until(func(s *watch.Status) bool {
		return s.Connection.Executed.File == file && s.Connection.Executed.Offset == offset
	})
	for i, lock := range []struct{ statement, what string }{
		{"LOCK TABLES d.t READ", "metadata lock"},
		{"SELECT * FROM d.t WHERE a = 1 FOR UPDATE", "a row lock of InnoDB"},
		{"FLUSH TABLES WITH READ LOCK", "lock"},
	} {
		holder, release := p.session(p.slave.DB)
		for _, statement := range []string{"SET autocommit=0", lock.statement} {
			if _, err := holder.ExecContext(p.Context(), statement); err != nil {
				p.Fatal(err)
			}
		}
		var id int
		if err := holder.QueryRowContext(p.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			p.Fatal(err)
		}
		p.run(p.master.DB, fmt.Sprintf("SET timestamp=%d", time.Now().Add(-time.Minute).Unix()),
			fmt.Sprintf("UPDATE d.t SET b = 'changed %d' WHERE a = 1", i))
		s := p.untilProblem(watch.HealthApplierStuck, "blocked-applier", lock.what,
			fmt.Sprintf("connection %d (root@localhost", id), "KILL")
		if p.kind.IsMySQL() { // which tells who holds it
			p.wantWords(s, pairs.ProblemOf(s.Problems, "blocked-applier"), fmt.Sprintf("on the slave: KILL %d", id))
		}
		release()
		p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK && *s.Lag.Bytes == 0 })
	}
}
