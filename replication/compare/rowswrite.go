package compare

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// WriteSettings are what a session of the slave is given in which rows are put right:
// nothing of it is logged, and the values are taken as they are. Foreign keys change no
// other row then, and CHECKs, which the master's rows have passed, are not asked.
func WriteSettings(v server.Version) []server.Statement {
	settings := []server.Statement{
		server.SQL("SET SESSION sql_log_bin=0, SESSION foreign_key_checks=0, SESSION unique_checks=1," +
			" SESSION sql_safe_updates=0, SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"),
	}
	if v.AtLeast(server.MariaDB, 10, 2, 1) {
		settings = append(settings, server.SQL("SET SESSION check_constraint_checks=0"))
	}
	return settings
}

// repair puts rows of some keys right, in one transaction, which is taken back unless the
// slave's rows are the master's then.
func (p *rowPair) repair(ctx context.Context, ends *snapshotEnds, keys []keyValue) (*TableRows, error) {
	var master rowSet
	if err := p.readKeys(ctx, ends.master, keys, "", &master); err != nil {
		return nil, err
	}
	s, err := openSession(ctx, ends.slave.server)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	settings := append(WriteSettings(s.server.Version), server.SQL("START TRANSACTION READ WRITE"))
	if err := s.exec(ctx, settings...); err != nil {
		return nil, err
	}
	rows, err := p.rewrite(ctx, s, keys, &master)
	if err == nil {
		return rows, s.exec(ctx, server.SQL("COMMIT"))
	}
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	_ = s.exec(ctx, server.SQL("ROLLBACK")) // or the session's end does
	return nil, err
}

// rewrite makes the master's rows of those of the slave, and gives what differed.
func (p *rowPair) rewrite(ctx context.Context, s *session, keys []keyValue, master *rowSet) (*TableRows, error) {
	var slave rowSet
	if err := p.readKeys(ctx, s, keys, forUpdate, &slave); err != nil {
		return nil, err
	}
	differ := differing(master, &slave)
	if err := p.write(ctx, s, differ); err != nil {
		return nil, err
	}
	return p.tableRows(differ), p.mustBeEqual(ctx, s, keys, master)
}

// forUpdate keeps others off the rows that are read.
const forUpdate = " FOR UPDATE"

// write deletes all rows that differ and then inserts the master's, so that rows may
// have exchanged the values of a unique key.
func (p *rowPair) write(ctx context.Context, s *session, differ []rowDifference) error {
	var gone []keyValue
	var rows []*rowValues
	for _, d := range differ {
		if d.slave != nil {
			gone = append(gone, d.slave.key)
		}
		if d.master != nil {
			rows = append(rows, d.master)
		}
	}
	for len(gone) > 0 {
		n := min(len(gone), p.batch())
		statement := "DELETE FROM " + p.slave.quoted() + " WHERE " + p.slaveKey.oneOf(gone[:n])
		if err := s.exec(ctx, server.Encoded("DELETE FROM "+p.slave.quoted(), statement)); err != nil {
			return err
		}
		gone = gone[n:]
	}
	return p.insert(ctx, s, rows)
}

// insert inserts rows, several at a time as far as the slave takes them at once.
func (p *rowPair) insert(ctx context.Context, s *session, rows []*rowValues) error {
	const usual = 256 << 10
	packet, err := s.server.Value(ctx, s.conn, "SELECT @@max_allowed_packet")
	if err != nil {
		return err
	}
	most, err := strconv.Atoi(packet)
	if err != nil {
		return fmt.Errorf("max_allowed_packet: %w", err)
	}
	begin, columns := p.insertion()
	var list []string
	size := len(begin)
	flush := func() error {
		if len(list) == 0 {
			return nil
		}
		statement := server.Encoded("INSERT INTO "+p.slave.quoted(), begin+strings.Join(list, ", "))
		list, size = list[:0], len(begin)
		return s.exec(ctx, statement)
	}
	for _, r := range rows {
		literal := p.literal(columns, s.server.Version, r)
		if len(begin)+len(literal)+1024 > most {
			return p.inexact(p.masterKey, r.key, "is too long for max_allowed_packet of the slave, %s", packet)
		}
		if size+len(literal)+1024 > min(usual, most) {
			if err := flush(); err != nil {
				return err
			}
		}
		list, size = append(list, literal), size+len(literal)+2
	}
	return flush()
}

// insertion is the beginning of an INSERT, and the places of its columns among the
// master's: all but those that the slave computes.
func (p *rowPair) insertion() (begin string, columns []int) {
	var names []string
	for i, c := range p.master.columns {
		if c.generated == "" {
			names, columns = append(names, server.QuoteName(c.name)), append(columns, i)
		}
	}
	return "INSERT INTO " + p.slave.quoted() + " (" + strings.Join(names, ", ") + ") VALUES ", columns
}

// literal is a row of an INSERT.
func (p *rowPair) literal(columns []int, v server.Version, r *rowValues) string {
	list := make([]string, len(columns))
	for at, i := range columns {
		c := p.master.columns[i]
		for _, own := range p.slave.columns {
			if own.name == c.name {
				c = own // with its word for the character set
			}
		}
		list[at] = c.write(v, r.values[i])
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// mustBeEqual refuses rows that are not the master's after they were written.
func (p *rowPair) mustBeEqual(ctx context.Context, s *session, keys []keyValue, master *rowSet) error {
	var now rowSet
	if err := p.readKeys(ctx, s, keys, forUpdate, &now); err != nil {
		return err
	}
	if differ := p.tableRows(differing(master, &now)); len(differ.Rows) > 0 {
		first := differ.Rows[0]
		return refusedRows(inexactRows, p.String(), "a row cannot be written as the master has it: %s %s",
			first.Key, finding.List(first.Columns))
	}
	return nil
}
