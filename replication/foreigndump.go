package replication

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"time"
)

// MySQL's mysqldump makes dumps of MariaDB that MySQL can load, and does not
// know how to ask MariaDB for coordinates. A host with MySQL's programs seldom
// has MariaDB's too, and what MariaDB's tool writes of generated columns MySQL
// refuses. So the coordinates are read here, under a lock that is held until
// the tool has its snapshot.

// dumperOf finds the tool that dumps for this seed. Foreign tells that it needs
// coordinates from here.
func (s *Seed) dumperOf(ctx context.Context) (t *tool, foreign bool, err error) {
	own := dumpTool(s.Master.Version.Family)
	if s.Master.Version.Family != MariaDB || s.Slave.Version.Family != MySQL {
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
	other, otherErr := findTool(ctx, dumpTool(MySQL))
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	switch {
	case otherErr == nil && other.knows("init-command-add") != "" && !s.LockTables:
		return other, true, nil
	case err == nil:
		return nil, false, problem(Master, "generated-columns", "install mysqldump of MySQL 9 on this host, which leaves them out as it should",
			"MariaDB's dumps hold the values of generated columns, which MySQL refuses: %s", listed(generated))
	}
	return nil, false, err
}

// generatedColumns are those of the tables to copy, as "database.table.column".
func (s *Seed) generatedColumns(ctx context.Context) ([]string, error) {
	rows, err := s.Master.query(ctx, s.Master.db, "SELECT CONCAT(table_schema, '.', table_name) AS t, column_name AS c FROM information_schema.columns"+
		" WHERE extra LIKE '%GENERATED%' AND table_schema IN ("+quoteExactly(s.databases())+") ORDER BY 1, ordinal_position")
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
func (c *copying) startForeign(ctx context.Context, stdout *os.File) (*process, Position, error) {
	conn, err := c.Master.session(ctx)
	if err != nil {
		closeFiles(stdout)
		return nil, Position{}, err
	}
	defer discard(conn) // which ends the lock, too
	err = c.Master.exec(ctx, conn, statement("SET SESSION lock_wait_timeout=%d", max(1, int(c.lockWait().Seconds()))), statement("FLUSH TABLES WITH READ LOCK"))
	if err == nil {
		var p Position
		if p, err = c.Master.position(ctx, conn); err == nil {
			dump, err := c.startUnderLock(ctx, conn, stdout)
			return dump, p, err
		}
	}
	closeFiles(stdout)
	if serverError(err) == 1205 {
		err = c.lockWaited()
	}
	return nil, Position{}, err
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
	args := append([]string{"--init-command=SET NAMES utf8mb4", "--init-command-add=DO GET_LOCK('" + mark + "', 0)"}, c.dumpArguments()...)
	dump, err := startTool(c.dumper, c.Master.Login, args, nil, stdout)
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
		n, err := c.Master.value(ctx, conn, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = IS_USED_LOCK(?)", mark)
		if err == nil {
			err = pause(ctx, transactionLook)
		}
		if err != nil {
			dump.stop()
			return nil, err
		}
		if n == "1" {
			seen++
		}
	}
	return dump, c.Master.exec(ctx, conn, statement("UNLOCK TABLES"))
}

// position reads where the binary log stands.
func (s *Server) position(ctx context.Context, on execer) (Position, error) {
	rows, err := s.query(ctx, on, s.Version.showMasterStatus())
	if err != nil || len(rows) == 0 {
		return Position{}, err
	}
	return newPosition(rows[0]), nil
}
