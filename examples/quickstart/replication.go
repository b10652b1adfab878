package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

const (
	batch    = 1000 // rows that insert writes
	rowBytes = 96   // bytes of text in a row
)

// makeDatabase gives the master a database to replicate, with the first rows in
// it.
func (d *demo) makeDatabase(ctx context.Context) error {
	if err := execute(ctx, d.master.server,
		"CREATE DATABASE quickstart",
		"CREATE TABLE quickstart.messages (id INT AUTO_INCREMENT PRIMARY KEY, words CHAR(96) NOT NULL)",
	); err != nil {
		return err
	}
	return d.insert(ctx)
}

// writeRows writes rows on the master and waits for them on the slave.
func (d *demo) writeRows(ctx context.Context) (err error) {
	if d.before, err = d.counters(ctx, d.master); err != nil {
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
			return errors.Join(err, fmt.Errorf("%d rows have arrived of %d", got, want))
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
	var complaint *finding.Problem
	if err := until(ctx, "wait for the slave to miss the tunnel", func(ctx context.Context) error {
		s, err := d.status(ctx)
		if err != nil {
			return err
		}
		for _, p := range s.Problems {
			if p.Code == "tunnel-down" {
				complaint = p
				return nil
			}
		}
		return fmt.Errorf("%s: %s", s.State, s.Summary)
	}, d.servers()...); err != nil {
		return err
	}
	master, slave, err := d.rowsOfBoth(ctx)
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(complaint.Text, " (")
	d.report.note("Rows on the master: %s; on the slave: still %s. Now status says:", count(master), count(slave))
	d.report.note("problem  %s: %s", complaint.On, text)
	d.report.note("         hint: %s", complaint.Cure)
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
	d.report.note("By itself: it tries again every 10 s. The new process has received")
	d.report.note("%s bytes.", count(after.BytesFromPeer))
	return nil
}

// compare compares the two servers by the command, and counts the rows.
func (d *demo) compare(ctx context.Context) error {
	master, slave, err := d.rowsOfBoth(ctx)
	if err != nil {
		return err
	}
	d.report.note("rows on the master: %d", master)
	d.report.note("rows on the slave:  %d", slave)
	if master != slave || master != 3*batch {
		return involving(fmt.Errorf("%d rows on the master and %d on the slave, not %d on both",
			master, slave, 3*batch), d.all()...)
	}
	out, err := d.replication(ctx, d.slave, "compare", append(d.masterFlags(), "--all")...)
	if err != nil {
		return err
	}
	// How far it was is above the result.
	d.noteText(out[max(0, strings.Index(out, "equal ")):])
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
	const tables = "SELECT COUNT(*) FROM information_schema.tables " +
		"WHERE table_schema = 'quickstart' AND table_name = 'messages'"
	if err := s.DB.QueryRowContext(ctx, tables).Scan(&n); err != nil || n == 0 {
		return 0, involving(wrap("look for the table on "+s.name, err), s.process)
	}
	err = s.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM quickstart.messages").Scan(&n)
	return n, involving(wrap("count the rows on "+s.name, err), s.process)
}

// execute runs statements on a server.
func execute(ctx context.Context, s server, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.DB.ExecContext(ctx, statement); err != nil {
			return involving(fmt.Errorf("%s on %s: %w", statement, s.name, err), s.process)
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
