package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

const (
	batch    = 1000 // rows that insert writes
	rowBytes = 96   // bytes of text in a row
)

// refused is the client error "can't connect to the server".
const refused = "2003"

// startReplication makes the account on the master and points the slave at its
// end of the tunnel.
func (d *demo) startReplication(ctx context.Context) error {
	_, port, err := net.SplitHostPort(d.slave.accept)
	if err != nil {
		return err
	}
	// Letters and digits only, so it needs no quoting. It goes to the servers
	// by their sockets and is never on a command line.
	password := rand.Text()
	// The tunnel ends on the master's own host: for the master's mysqld the
	// slave comes from 127.0.0.1.
	if err := execute(ctx, d.master.server,
		"CREATE USER 'db_rep'@'127.0.0.1' IDENTIFIED BY '"+password+"'",
		"GRANT REPLICATION SLAVE ON *.* TO 'db_rep'@'127.0.0.1'",
	); err != nil {
		return err
	}
	// TLS is the tunnel's: newer servers would demand it a second time. Every
	// option is stated, because a server keeps some of an earlier CHANGE.
	if err := execute(ctx, d.slave.server,
		"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT="+port+
			", MASTER_USER='db_rep', MASTER_PASSWORD='"+password+"'"+
			", MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=10, MASTER_USE_GTID=slave_pos"+
			", MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_DELAY=0, IGNORE_SERVER_IDS=()",
		"START SLAVE",
	); err != nil {
		return err
	}
	if err := until(ctx, "wait for the replication to start", d.replicating, d.all()...); err != nil {
		return err
	}
	d.report.note("Account db_rep@127.0.0.1 on the master; the slave connects to")
	d.report.note("127.0.0.1:%s, its own end of the tunnel, as db_rep.", port)
	return nil
}

// replicating fails unless both threads of the slave run.
func (d *demo) replicating(ctx context.Context) error {
	s, err := d.slaveStatus(ctx)
	if err != nil {
		return err
	}
	if s["Slave_IO_Running"] == "Yes" && s["Slave_SQL_Running"] == "Yes" {
		return nil
	}
	return fmt.Errorf("Slave_IO_Running %s, Slave_SQL_Running %s: %s",
		s["Slave_IO_Running"], s["Slave_SQL_Running"], strings.TrimSpace(s["Last_IO_Error"]+" "+s["Last_SQL_Error"]))
}

// writeRows writes the first rows on the master and waits for them on the
// slave.
func (d *demo) writeRows(ctx context.Context) (err error) {
	if d.before, err = d.counters(ctx, d.master); err != nil {
		return err
	}
	if err := execute(ctx, d.master.server,
		"CREATE DATABASE quickstart",
		"CREATE TABLE quickstart.messages (id INT AUTO_INCREMENT PRIMARY KEY, words CHAR(96) NOT NULL)",
	); err != nil {
		return err
	}
	if err := d.insert(ctx); err != nil {
		return err
	}
	if err := d.waitForRows(ctx); err != nil {
		return err
	}
	return d.noteLastRow(ctx)
}

// insert writes a batch of rows of random text on the master. The text is made
// there; the slave gets it row by row (binlog_format=ROW).
func (d *demo) insert(ctx context.Context) error {
	return execute(ctx, d.master.server,
		"INSERT INTO quickstart.messages (words) SELECT REPEAT(MD5(RAND()), 3) FROM quickstart.seq_1_to_1000")
}

// waitForRows waits until the slave holds what the master holds.
func (d *demo) waitForRows(ctx context.Context) error {
	want, err := rows(ctx, d.master.server)
	if err != nil {
		return err
	}
	return until(ctx, "wait for the rows on the slave", func(ctx context.Context) error {
		got, err := rows(ctx, d.slave.server)
		if err != nil || got != want {
			return errors.Join(err, fmt.Errorf("%d rows have arrived of %d", got, want), d.replicating(ctx))
		}
		return nil
	}, d.all()...)
}

// noteLastRow shows the last row of the slave.
func (d *demo) noteLastRow(ctx context.Context) error {
	var id int
	var words string
	const query = "SELECT id, words FROM quickstart.messages ORDER BY id DESC LIMIT 1"
	if err := d.slave.server.DB.QueryRowContext(ctx, query).Scan(&id, &words); err != nil {
		return involving(fmt.Errorf("read the slave's last row: %w", err), d.slave.server.process)
	}
	d.report.note("All arrived. The slave's last: id %d, words '%.20s...'", id, words)
	return nil
}

// countBytes compares the tunnel's own counters with those before the rows.
func (d *demo) countBytes(ctx context.Context) error {
	const payload = batch * rowBytes
	var near, far tunnel.Status
	// A counter follows the bytes that it counts by an instant.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := until(ctx, "compare the counters with the rows", func(ctx context.Context) (err error) {
		if near, err = d.counters(ctx, d.master); err != nil {
			return err
		}
		if far, err = d.counters(ctx, d.slave); err != nil {
			return err
		}
		if near.BytesToPeer-d.before.BytesToPeer < payload || far.BytesFromPeer < payload {
			return errors.New("the tunnel carried less than the rows: they came another way")
		}
		return nil
	}, d.tunnels()...); err != nil {
		return err
	}
	d.report.note("The master's end had sent %s bytes, and now %s: %s more,",
		count(d.before.BytesToPeer), count(near.BytesToPeer), count(near.BytesToPeer-d.before.BytesToPeer))
	d.report.note("for rows of %s bytes. The slave's end received %s.", count(payload), count(far.BytesFromPeer))
	return nil
}

// stopTunnel stops the slave's gtunnel, writes on the master, and proves that
// the slave then tries to fetch the rows, cannot, and has nothing new.
func (d *demo) stopTunnel(ctx context.Context) error {
	before, err := rows(ctx, d.slave.server)
	if err != nil {
		return err
	}
	d.slave.gtunnel.stop(ctx)
	if err := d.insert(ctx); err != nil {
		return err
	}
	// An attempt after the rows were written, and no earlier error.
	if err := execute(ctx, d.slave.server, "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"); err != nil {
		return err
	}
	var complaint string
	if err := until(ctx, "wait for the slave to miss the tunnel", func(ctx context.Context) error {
		s, err := d.slaveStatus(ctx)
		if err != nil {
			return err
		}
		if s["Slave_IO_Running"] == "Yes" || s["Last_IO_Errno"] != refused {
			return fmt.Errorf("Slave_IO_Running %s, Last_IO_Errno %s", s["Slave_IO_Running"], s["Last_IO_Errno"])
		}
		complaint = s["Last_IO_Error"]
		return nil
	}, d.servers()...); err != nil {
		return err
	}
	master, slave, err := d.rowsOfBoth(ctx)
	if err != nil {
		return err
	}
	if _, message, found := strings.Cut(complaint, "message: "); found {
		complaint = message
	}
	d.report.note("Rows on the master: %s; on the slave: still %s. It says:", count(master), count(slave))
	d.report.note("%s %.68s", refused, complaint)
	if slave != before {
		return involving(fmt.Errorf("the slave went from %d to %d rows without the tunnel", before, slave), d.servers()...)
	}
	return nil
}

// catchUp starts the slave's gtunnel again and waits for the missing rows.
func (d *demo) catchUp(ctx context.Context) error {
	if err := d.startTunnel(ctx, d.slave); err != nil {
		return err
	}
	if err := d.waitForRows(ctx); err != nil {
		return err
	}
	after, err := d.counters(ctx, d.slave)
	if err != nil {
		return err
	}
	d.report.note("The new process has received %s bytes.", count(after.BytesFromPeer))
	return nil
}

// compare compares the two tables, by number and by content.
func (d *demo) compare(ctx context.Context) error {
	master, slave, err := d.rowsOfBoth(ctx)
	if err != nil {
		return err
	}
	d.report.note("rows on the master: %d", master)
	d.report.note("rows on the slave:  %d", slave)
	if master != slave || master != 2*batch {
		return involving(fmt.Errorf("%d rows on the master and %d on the slave, not %d on both", master, slave, 2*batch), d.all()...)
	}
	var sums [2]sql.NullInt64
	for i, s := range []server{d.master.server, d.slave.server} {
		var table string
		if err := s.DB.QueryRowContext(ctx, "CHECKSUM TABLE quickstart.messages").Scan(&table, &sums[i]); err != nil {
			return involving(fmt.Errorf("checksum of %s: %w", s.name, err), s.process)
		}
	}
	d.report.note("checksums: %d and %d", sums[0].Int64, sums[1].Int64)
	if !sums[0].Valid || sums[0] != sums[1] {
		return involving(errors.New("the rows differ"), d.servers()...)
	}
	return nil
}

func (d *demo) rowsOfBoth(ctx context.Context) (master, slave int, err error) {
	if master, err = rows(ctx, d.master.server); err != nil {
		return 0, 0, err
	}
	slave, err = rows(ctx, d.slave.server)
	return master, slave, err
}

// rows counts the rows of a server; none if the table is not there yet.
func rows(ctx context.Context, s server) (n int, err error) {
	const tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'quickstart' AND table_name = 'messages'"
	if err := s.DB.QueryRowContext(ctx, tables).Scan(&n); err != nil || n == 0 {
		return 0, involving(wrap("look for the table on "+s.name, err), s.process)
	}
	err = s.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM quickstart.messages").Scan(&n)
	return n, involving(wrap("count the rows on "+s.name, err), s.process)
}

// slaveStatus is the slave's SHOW SLAVE STATUS by column.
func (d *demo) slaveStatus(ctx context.Context) (map[string]string, error) {
	result, err := d.slave.server.DB.QueryContext(ctx, "SHOW SLAVE STATUS")
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Close() }() // result.Err says it all
	columns, err := result.Columns()
	if err != nil {
		return nil, err
	}
	if !result.Next() {
		return nil, errors.Join(errors.New("SHOW SLAVE STATUS is empty"), result.Err())
	}
	values := make([]sql.NullString, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := result.Scan(targets...); err != nil {
		return nil, err
	}
	status := make(map[string]string)
	for i, column := range columns {
		status[column] = values[i].String
	}
	return status, result.Err()
}

// execute runs statements on a server. Its errors do not repeat them: they may
// hold a password.
func execute(ctx context.Context, s server, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.DB.ExecContext(ctx, statement); err != nil {
			verb, _, _ := strings.Cut(statement, " ")
			return involving(fmt.Errorf("%s on %s: %w", verb, s.name, err), s.process)
		}
	}
	return nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (d *demo) servers() []*process {
	return []*process{d.master.server.process, d.slave.server.process}
}

func (d *demo) tunnels() []*process {
	return []*process{d.master.gtunnel.process, d.slave.gtunnel.process}
}

func (d *demo) all() []*process { return append(d.servers(), d.tunnels()...) }
