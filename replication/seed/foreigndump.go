package seed

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MySQL's mysqldump makes dumps of MariaDB that MySQL can load, and does not
// know how to ask MariaDB for coordinates. A host with MySQL's programs seldom
// has MariaDB's too, and what MariaDB's tool writes of generated columns MySQL
// refuses. So the coordinates are read here, under a lock that is held until
// the tool has its snapshot.

// dumperOf finds the tool that dumps for this seed. Foreign tells that it needs
// coordinates from here.
func (s *Seed) dumperOf(ctx context.Context) (t *tool, foreign bool, err error) {
	if t, foreign, err = s.chooseDumper(ctx); err != nil {
		return nil, false, err
	}
	const history = "dump-history" // the tool ends at a table whose history is by transactions
	if t.options[history] && s.Master.Version.AtLeast(server.MariaDB, 10, 3, 4) {
		byTransaction, err := s.Master.Value(ctx, s.Master.DB,
			"SELECT COUNT(*) FROM information_schema.columns WHERE generation_expression = 'ROW START'"+
				" AND data_type = 'bigint' AND table_schema IN ("+server.QuoteExactly(s.databases())+")")
		if err != nil {
			return nil, false, err
		}
		if byTransaction != "0" {
			delete(t.options, history)
		}
	}
	return t, foreign, nil
}

// chooseDumper is dumperOf, with all that the tool knows.
func (s *Seed) chooseDumper(ctx context.Context) (t *tool, foreign bool, err error) {
	own := dumpTool(s.Master.Version.Family)
	if s.Master.Version.Family != server.MariaDB || s.Slave == nil || s.Slave.Version.Family != server.MySQL {
		t, err = findTool(ctx, own)
		return t, false, err
	}
	generated, err := s.generatedColumns(ctx)
	if err != nil {
		return nil, false, err
	}
	t, err = findTool(ctx, own)
	if err == nil && len(generated) == 0 {
		return t, false, nil
	}
	other, otherErr := findTool(ctx, dumpTool(server.MySQL))
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	switch {
	case otherErr == nil && other.knows("init-command-add") != "" && !s.LockTables:
		return other, true, nil
	case err == nil:
		return nil, false, finding.New(finding.Master, "generated-columns",
			"install mysqldump of MySQL 9 on this host, which leaves them out as it should",
			"MariaDB's dumps hold the values of generated columns, which MySQL refuses: %s", finding.Items(generated))
	}
	return nil, false, err
}

// generatedColumns are those of the tables to copy, as "database.table.column".
func (s *Seed) generatedColumns(ctx context.Context) ([]string, error) {
	rows, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT CONCAT(table_schema, '.', table_name) AS t, column_name AS c FROM information_schema.columns"+
			" WHERE extra LIKE '%GENERATED%' AND table_schema IN ("+server.QuoteExactly(s.databases())+
			") ORDER BY 1, ordinal_position")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r["t"]+"."+r["c"])
	}
	return names, nil
}

// startForeign starts a dump whose tool does not tell coordinates, and gives
// those of its snapshot.
func (c *copying) startForeign(ctx context.Context, stdout *os.File) (*process, server.Position, error) {
	conn, err := c.Master.Session(ctx)
	if err != nil {
		closeFiles(stdout)
		return nil, server.Position{}, err
	}
	defer server.Discard(conn) // which ends the lock, too
	err = c.Master.Exec(ctx, conn, server.SQL("SET SESSION lock_wait_timeout=%d", max(1, int(c.lockWait().Seconds()))),
		server.SQL("FLUSH TABLES WITH READ LOCK"))
	if err == nil {
		var p server.Position
		if p, err = c.Master.Position(ctx, conn); err == nil {
			dump, err := c.startUnderLock(ctx, conn, stdout)
			return dump, p, err
		}
	}
	closeFiles(stdout)
	if server.ErrorNumber(err) == 1205 {
		err = c.lockWaited()
	}
	return nil, server.Position{}, err
}

// transactionLook is how often the master's transactions are looked at. InnoDB
// shows what it has noted of them, and notes it anew only when nobody has looked
// for 100 ms: who looks more often never sees a change (MySQL manual, "InnoDB
// INFORMATION_SCHEMA Transaction and Locking Information").
const transactionLook = 120 * time.Millisecond

// startUnderLock starts the dump, and waits until it has its snapshot. The tool
// is known by a lock of a name that it takes first.
func (c *copying) startUnderLock(ctx context.Context, conn *sql.Conn, stdout *os.File) (*process, error) {
	mark := "gtunnel.seed." + rand.Text()
	args := append([]string{"--init-command=SET NAMES utf8mb4", "--init-command-add=DO GET_LOCK('" + mark + "', 0)"},
		c.dumpArguments()...)
	dump, err := startTool(c.dumper, c.login(c.Master), args, nil, stdout)
	if err != nil {
		return nil, err
	}
	// A transaction begins just before its snapshot is taken: it must be seen
	// twice.
	for seen, begun := 0, time.Now(); seen < 2 && !isEnded(dump); {
		if time.Since(begun) > c.lockWait() {
			dump.stop()
			return nil, c.lockWaited()
		}
		n, err := c.Master.Value(ctx, conn,
			"SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = IS_USED_LOCK(?)", mark)
		if err == nil {
			err = server.Pause(ctx, transactionLook)
		}
		if err != nil {
			dump.stop()
			return nil, err
		}
		if n == "1" {
			seen++
		}
	}
	return dump, c.Master.Exec(ctx, conn, server.SQL("UNLOCK TABLES"))
}
