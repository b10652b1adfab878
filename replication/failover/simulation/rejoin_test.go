package simulation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// rejoin makes a host the slave of its peer, which was promoted. Its data may be replaced.
func rejoin(on int) stage { return rejoinGivingUp(on, false) }

// rejoinInVain is rejoin, which is refused.
func rejoinInVain(on int) stage {
	s := rejoin(on)
	s.done = func(w *world) bool { return w.tries > 0 }
	return s
}

// rejoinGivingUp is rejoin, after a split-brain with the word that this host's term is to go.
func rejoinGivingUp(on int, gives bool) stage {
	return command("rejoin", on, func(ctx context.Context, p *process) error {
		h := p.hostOf()
		h.ReadBinaryLog, h.Shelf, h.Copy, h.Compare = p.readBinaryLog, shelf{p}, p.copyAnew, p.compareRows
		want := failover.RejoinWant{Replace: []string{"t"}, NewCopy: finding.HasCode(p.w.errBefore, "different")}
		if gives {
			want.GiveUp = p.host.name
		}
		done, err := (&failover.Rejoin{Host: h, Dialogue: p.agree(), Want: want}).Run(ctx)
		p.w.log("%s: done: %v", p.name, done)
		return err
	}, func(w *world) bool {
		h := w.hosts[on]
		n, _ := h.note.note()
		return n.HasJoined() && w.lastErr == nil && h.engine.up && h.engine.master != nil && h.engine.io.running &&
			h.engine.sql.running
	})
}

// readBinaryLog writes what the program of the server's family does, as far as gtunnel reads it.
func (p *process) readBinaryLog(ctx context.Context, files []string, from uint64, gtids string, to io.Writer) error {
	e := p.host.engine
	value, err := p.do(ctx, &operation{
		text: fmt.Sprintf("read the binary log %v from %d %s", files, from, gtids), server: e,
		run: func() (any, error) {
			var out bytes.Buffer
			fmt.Fprintln(&out, "DELIMITER /*!*/;")
			for _, l := range e.log {
				first := parseFile(files[0])
				if l.file < first || l.file == first && l.end <= from ||
					gtids != "" && !slices.Contains(parseSet(gtids), l.id) {
					continue
				}
				e.printLogged(&out, l)
			}
			return text(out.String()), nil
		},
		broken: func() error { return errDisk },
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, string(value.(text)))
	return err
}

// text is a text that tells itself.
type text string

// String is it.
func (t text) String() string { return string(t) }

// printLogged writes a transaction as mariadb-binlog and mysqlbinlog do.
func (e *engine) printLogged(out io.Writer, l logged) {
	header := func(event string) {
		fmt.Fprintf(out, "#%s server id %d  end_log_pos %d CRC32 0x00000000 \t%s\n",
			time.Unix(e.startedUnix, 0).UTC().Format("060102 15:04:05"), l.id.server, l.end, event)
	}
	if e.family == server.MariaDB {
		header("GTID " + l.id.format() + " trans")
		fmt.Fprintln(out, "START TRANSACTION\n/*!*/;")
	} else {
		header("GTID\tlast_committed=0\tsequence_number=1\trbr_only=yes")
		fmt.Fprintf(out, "SET @@SESSION.GTID_NEXT= '%s:%d'/*!*/;\n", uuid(l.id.server), l.id.number)
		header("Query\tthread_id=8\texec_time=0\terror_code=0")
		fmt.Fprintln(out, "BEGIN\n/*!*/;")
	}
	if l.row != 0 {
		header("Table_map: `t`.`acts` mapped to number 18")
		header("Write_rows: table id 18 flags: STMT_END_F")
		fmt.Fprintf(out, "### INSERT INTO `t`.`acts`\n### SET\n###   @1=%d\n", l.row)
	}
	header("Xid = 5")
	fmt.Fprintln(out, "COMMIT/*!*/;")
}

// shelf keeps the files of a host.
type shelf struct{ p *process }

// Find tells whether a file is there.
func (s shelf) Find(name string) (string, bool, error) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	_, there := s.p.host.files[name]
	return "/shelf/" + name, there, nil
}

var savedRow = regexp.MustCompile(`(?m)^###   @1=(\d+)$`)

// Put writes one: whole, or not at all.
func (s shelf) Put(name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err
	}
	_, err := s.p.do(s.p.w.ctx, &operation{
		text: "save what this host has alone as " + name, effect: true, broken: func() error { return errDisk },
		run: func() (any, error) {
			s.p.w.mu.Lock()
			defer s.p.w.mu.Unlock()
			s.p.host.files[name] = content.String()
			for _, m := range savedRow.FindAllStringSubmatch(content.String(), -1) {
				row, _ := strconv.Atoi(m[1])
				s.p.host.saved[row] = true
			}
			return nil, nil
		},
	})
	return err
}

// copyAnew is a new copy of the peer's databases, in the three parts between which it can be
// cut off.
func (p *process) copyAnew(ctx context.Context, _ failover.CopyWant, _ replication.Dialogue) error {
	e, from := p.host.engine, p.w.other(p.host).engine
	if _, err := p.change(ctx, "remove the databases", func() error {
		e.halt(true, true)
		e.rows = nil
		p.w.checker.received[p.w.index(p.host)] = nil
		e.master, e.relay, e.retrieved, e.received = nil, nil, nil, gtid{}
		return nil
	}); err != nil {
		return err
	}
	if _, err := p.change(ctx, "load the copy", func() error {
		if !from.up || !p.w.reaches(p.host) {
			return errDead
		}
		e.rows = slices.Clone(from.rows)
		e.slavePos = from.lastLogged()
		if e.family == server.MySQL { // a clone, which erases all, brings the donor's row, and restarts the server
			e.log, e.purged, e.record = nil, from.executed(), from.record
			e.stop(false)
			e.boot()
		}
		return nil
	}); err != nil {
		return err
	}
	_, err := p.change(ctx, "connect", func() error {
		e.master = &source{host: server.Loopback, port: 3307, user: replicationUser, byGTID: true}
		e.start(true, true)
		return nil
	})
	return err
}

// change is an operation on the own server by a program.
func (p *process) change(ctx context.Context, name string, do func() error) (any, error) {
	return p.do(ctx, &operation{
		text: name, effect: true, server: p.host.engine, broken: func() error { return errDisk },
		run: func() (any, error) {
			if !p.host.engine.up {
				return nil, errDead
			}
			return nil, do()
		},
	})
}

// compareRows compares the rows of both servers.
func (p *process) compareRows(ctx context.Context, _, _ *server.Server, _ replication.Dialogue) (bool, error) {
	value, err := p.do(ctx, &operation{
		text: "compare", remote: true, broken: func() error { return errDead },
		run: func() (any, error) {
			return truth(slices.Equal(sorted(p.w.hosts[0].engine.rows), sorted(p.w.hosts[1].engine.rows))), nil
		},
	})
	if err != nil {
		return false, finding.New("", "compare", "", "not compared: %v", err)
	}
	return bool(value.(truth)), nil
}
