package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// clientUser is an ordinary account of an application.
const clientUser = "app"

// checker holds the world against what must hold, at every step:
//
//   - Two servers that a client can write to are there only after a false statement that the
//     old master was fenced, and then for no longer than bothFor while the link works.
//   - What a server had received when it became the master by promote or switchover is in its
//     tables as soon as a client can write there, and at the end.
//   - A term's number is raised to once, by the host that has it, and never goes back.
//   - Nobody is promoted whose master has answered for a while, whatever was stated.
//   - No command says that it is done while it is not; and without deviations each is at its
//     first try.
//   - Where a cluster manager decides, a server begins to be writable while a command of that runs
//     on its host, and not otherwise.
//   - A demotion that others may rely on has no events, is read-only, and on MariaDB has the read
//     lock; a relay log is applied by hand only once it was copied.
//
// and at the end of every run, after the last deviation was mended:
//
//   - One server can be written to, the other follows it, and both have the same rows.
//   - Every row that was acknowledged to a client is there; after a promotion it may have been
//     on the old master alone: then it was saved as SQL.
//   - Events run again, and binary logs are kept for as long as before.
type checker struct {
	written  int
	eager    int            // of them by a client that waits until a server can be written to
	acked    map[int]string // row: by which host
	received [2]map[int]bool
	writable [2]bool
	false1   bool // somebody has made a false statement
	promoted bool
	both     time.Duration // for how long both could be written to while the link worked
	last     time.Time
	raised   map[uint64]string // number: nonce and host
	reached  time.Time         // since when the hosts reach each other; zero: they do not
	stalled  bool              // a process was held up: what it has seen may be old
}

// livesFor is for how long a master must have been reached again before a promotion may not be.
const livesFor = 5 * time.Second

// bothFor is how long two masters may last while the link works.
const bothFor = 5 * time.Second

// eagerWrites is how often a client writes at the very moment when a server can be written to.
const eagerWrites = 6

// client is a session of an application.
func (w *world) client(h *host) *session {
	return &session{user: clientUser, logBin: true, serverID: h.engine.serverID()}
}

// canWrite tries to write as an application, and takes it back.
func (w *world) canWrite(h *host) bool { return h.engine.up && h.engine.mayWrite(w.client(h)) == nil }

// write writes a row as an application does, which notes what was acknowledged.
func (w *world) write(h *host) { w.writeBy(h, w.client(h)) }

// writeBy writes one by a session.
func (w *world) writeBy(h *host, s *session) {
	if !s.closed && h.engine.up && h.engine.mayWrite(s) == nil {
		w.add(h, s)
	}
}

// add adds a row, which the server acknowledges.
func (w *world) add(h *host, s *session) {
	c := &w.checker
	c.written++
	w.touched++
	row := c.written
	h.engine.commit(s, row)
	if c.acked == nil {
		c.acked = map[int]string{}
	}
	c.acked[row] = h.letter
	w.log("a client writes row %d to %s", row, h.letter)
}

// noteReceived is told by a slave what it has received.
func (w *world) noteReceived(e *engine, c change) {
	i := slices.Index(w.hosts[:], e.host)
	if w.checker.received[i] == nil {
		w.checker.received[i] = map[int]bool{}
	}
	if c.row != 0 {
		w.checker.received[i][c.row] = true
	}
}

// look holds the world against the invariants; fresh: it may have changed.
func (c *checker) look(w *world, fresh bool) {
	now := time.Now()
	if c.writable[0] && c.writable[1] && w.reaches(w.hosts[0]) {
		c.both += now.Sub(c.last)
		if c.both > bothFor {
			w.violate("two masters for longer than %s while the link works", bothFor)
		}
	}
	c.last = now
	switch {
	case !w.hosts[0].up || !w.reaches(w.hosts[0]):
		c.reached = time.Time{}
	case c.reached.IsZero():
		c.reached = now
	}
	for i, h := range w.hosts {
		if !fresh {
			break
		}
		can := w.canWrite(h)
		if can && !c.writable[i] {
			w.log("%s can be written to", h.letter)
			if h.mode == term.Cluster && !slices.ContainsFunc(w.processes, func(p *process) bool {
				return p.host == h && p.alive() && p.isOrdered() && !strings.HasPrefix(p.name, "demote")
			}) {
				w.violate("%s can be written to, and no command of the cluster manager's has it so", h.letter)
			}
			c.hasReceived(w, i)
			if c.eager < eagerWrites {
				c.eager++
				w.write(h)
			}
		} else if !can && c.writable[i] {
			w.log("%s cannot be written to any more", h.letter)
		}
		c.writable[i] = can
	}
	if c.writable[0] && c.writable[1] && !c.false1 {
		w.violate("both servers can be written to, and nobody has made a false statement")
	}
	if !c.writable[0] || !c.writable[1] {
		c.both = 0
	}
}

// hasReceived holds what a host has received against its tables.
func (c *checker) hasReceived(w *world, i int) {
	for row := range c.received[i] {
		if !slices.Contains(w.hosts[i].engine.rows, row) {
			w.violate("row %d, which %s had received, is not in its tables while it can be written to", row, w.hosts[i].letter)
		}
	}
}

// losesTail is told of a row that a server without sync_binlog=1 has lost with its power: what
// nobody else has is gone, and no program can give it back.
func (c *checker) losesTail(w *world, row int) {
	for i, h := range w.hosts {
		if slices.Contains(h.engine.rows, row) || c.received[i][row] {
			return
		}
	}
	delete(c.acked, row)
}

// saysDone is told of a command that has ended well, in a run without deviations.
func (c *checker) saysDone(w *world, p *process) {
	command, _, _ := strings.Cut(p.name, " ")
	h, peer := p.host, w.other(p.host)
	follows := func(h *host) bool { return h.engine.master != nil && h.engine.io.running && h.engine.sql.running }
	switch {
	case command == "demote":
		if w.canWrite(h) || h.engine.isOn("event_scheduler") && h.engine.master == nil {
			w.violate("%s says that it is done, and the server writes: %s", p.name, w.standing())
		}
	case command == "rejoin" && !follows(h), command == "switchover" && !follows(peer) && !w.scenario.alone:
		w.violate("%s says that it is done, and nobody follows: %s", p.name, w.standing())
	case command == "rejoin" && len(h.engine.rows) < len(peer.engine.rows):
		w.violate("%s says that it is done, and its rows are %v of %v", p.name, h.engine.rows, peer.engine.rows)
	case command != "rejoin" && !w.canWrite(h):
		w.violate("%s says that it is done, and nobody can write: %s", p.name, w.standing())
	case command == "promote" && h.engine.variables[retention] != "0" && h.keepsLogs():
		w.violate("%s says that it is done, and does not keep its binary log for %s", p.name, peer.letter)
	}
}

// retention is for how long binary logs are kept.
const retention = "binlog_expire_logs_seconds"

// demoted is told that a server has taken the lock by which others know that it was demoted.
func (e *engine) demoted(s *session) {
	switch {
	case e.isOn("event_scheduler"):
		e.w.violate("%s is demoted, and its events run", e.host.letter)
	case !e.isOn("read_only"), e.family == server.MySQL && !e.isOn("super_read_only"):
		e.w.violate("%s is demoted, and can be written to", e.host.letter)
	case e.family == server.MariaDB && !s.readLock:
		e.w.violate("%s is demoted, and administrators can write to it", e.host.letter)
	}
}

// keepsLogs reports whether its peer, which was passed over by a promotion, has still to rejoin.
func (h *host) keepsLogs() bool {
	n, _ := h.note.note()
	return n.Promotion != nil && n.Promotion.KeepLogs != ""
}

// noted is told of each change of a note.
func (c *checker) noted(w *world, h *host, before, after term.Note) {
	if before.Term.Same(after.Term) {
		return
	}
	w.log("%s notes term %d of %s (%s)", h.letter, after.Term.Number, after.Term.Master, after.Term.By)
	if after.Term.Number < before.Term.Number {
		w.violate("the term of %s went back from %d to %d", h.letter, before.Term.Number, after.Term.Number)
	}
	if after.Term.Master != h.name {
		return
	}
	if c.raised == nil {
		c.raised = map[uint64]string{}
	}
	by := after.Term.Nonce + " by " + h.letter
	if was, ok := c.raised[after.Term.Number]; ok && was != by && !c.false1 {
		w.violate("term %d was raised to twice: %s, %s", after.Term.Number, was, by)
	}
	c.raised[after.Term.Number] = by
	if after.Term.By == term.ByPromotion {
		c.promoted = true
		if !c.stalled && !c.reached.IsZero() && time.Since(c.reached) > livesFor {
			w.violate("%s was promoted while its master answers", h.letter)
		}
	}
}

// ended holds the end of a run against what was promised.
func (w *world) ended() {
	c := &w.checker
	var masters []*host
	for i, h := range w.hosts {
		if w.canWrite(h) {
			masters = append(masters, h)
			c.hasReceived(w, i)
		}
	}
	if len(masters) != 1 {
		w.violate("at the end %d servers can be written to: %s", len(masters), w.standing())
		return
	}
	master := masters[0]
	for row, by := range c.acked {
		if slices.Contains(master.engine.rows, row) || c.promoted && w.other(master).saved[row] {
			continue
		}
		w.violate("row %d, acknowledged by %s, is lost", row, by)
	}
	if w.other(master).off {
		return
	}
	slave := w.other(master).engine
	if slave.master == nil || !slave.io.running || !slave.sql.running {
		w.violate("at the end %s does not follow: %s", slave.host.letter, w.standing())
		return
	}
	if a, b := sorted(master.engine.rows), sorted(slave.rows); !slices.Equal(a, b) {
		w.violate("at the end the servers differ: %s has %v, %s has %v", master.letter, a, slave.host.letter, b)
	}
	for _, h := range w.hosts {
		if v := h.engine.variables; v["event_scheduler"] != "ON" || v[retention] != "2592000" {
			w.violate("at the end %s has event_scheduler=%s and %s=%s", h.letter, v["event_scheduler"], retention, v[retention])
		}
	}
}

func sorted(rows []int) []int { return slices.Sorted(slices.Values(rows)) }

// standing is how things stand, in a line.
func (w *world) standing() string {
	text := ""
	for _, h := range w.hosts {
		n, _ := h.note.note()
		text += fmt.Sprintf("%s: on %v, up %v, writable %v, slave %v, threads %s/%v (%s%s),"+
			" term %d of %s, request %v, demotion %v; ",
			h.letter, h.up, h.engine.up, w.canWrite(h), h.engine.master != nil, h.engine.ioState(), h.engine.sql.running,
			h.engine.io.text, h.engine.sql.text, n.Term.Number, n.Term.Master, n.Request != nil, n.Demotion != nil)
	}
	return text
}
