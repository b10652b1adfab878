package simulation

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// hash is of the state of the world and of what each process may remember. It sets situations:
// false, in which it does not count for how long nothing has changed; and true, which is of
// the notes and the stage of the script alone.
func (w *world) hash(next string) uint64 {
	b := make([]byte, 0, 4096)
	b = fmt.Appendf(b, "%d %d %v %v %s|", w.stage, w.tries, w.link.toA, w.link.toB, w.names.canonical(next))
	for i, h := range w.hosts {
		b = h.engine.appendState(fmt.Appendf(b, "%v %s|", h.up, w.names.canonical(string(h.note))))
		received := sorted(slices.Collect(maps.Keys(w.checker.received[i])))
		b = fmt.Appendf(b, "%v %v %v|", received, len(h.saved), h.working.alive())
	}
	for _, o := range w.pending {
		b = fmt.Appendf(b, "%s %s %v %v|", o.by.name, w.names.canonical(o.text), o.ran, o.stall)
	}
	b = fmt.Appendf(b, "%v %v %v", len(w.checker.acked), w.checker.false1, w.checker.promoted)
	sum := fnv.New64a()
	_, _ = sum.Write(b)
	b = b[:0]
	for _, a := range w.agenda {
		b = fmt.Appendf(b, "%s|", a.name)
	}
	for _, p := range w.processes {
		if p.alive() {
			b = fmt.Appendf(b, "%s %v %s|", p.name, p.touched, p.round)
			for _, r := range p.rounds {
				b = binary.BigEndian.AppendUint64(b, r.hash)
			}
		}
	}
	_, _ = sum.Write(b)
	w.situations = map[bool]uint64{false: sum.Sum64(), true: w.plainSituation()}
	b = b[:0]
	for _, a := range w.agenda {
		b = fmt.Appendf(b, "%d|", time.Until(a.at)/(100*time.Millisecond))
	}
	for _, p := range w.processes {
		for _, r := range p.rounds {
			b = append(b, byte(r.count))
		}
	}
	_, _ = sum.Write(append(b, byte(time.Since(w.restless)/time.Second)))
	return sum.Sum64()
}

// plainSituation is of the notes and the stage.
func (w *world) plainSituation() uint64 {
	sum := fnv.New64a()
	for _, h := range w.hosts {
		_, _ = fmt.Fprint(sum, h.up, h.engine.up, h.engine.variables["read_only"], h.engine.sql.running, h.engine.io.running)
		_, _ = sum.Write([]byte(w.names.canonical(string(h.note))))
	}
	_, _ = fmt.Fprint(sum, w.stage, w.tries, w.link)
	return sum.Sum64()
}

// appendState adds the state of a server.
func (e *engine) appendState(b []byte) []byte {
	b = fmt.Appendf(b, "%v %v %v %v %v %d %d %v|", e.up, e.rows, e.log, e.purged, e.relay, e.file, e.tail, e.slavePos)
	if e.master != nil {
		b = fmt.Appendf(b, "%v", *e.master)
	}
	b = fmt.Appendf(b, "%t %v %v %v %v %v %s|", e.torn, e.io, e.sql, e.received, e.retrieved, e.events,
		e.w.names.canonical(e.record))
	b = fmt.Appendf(b, "%s %v|", e.variables["server_id"], e.idSet)
	if !e.up {
		return b
	}
	for _, name := range []string{"read_only", "super_read_only", "event_scheduler", "sync_relay_log"} {
		b = append(append(b, e.variables[name]...), ' ')
	}
	for id := range e.lastID + 1 {
		if s, ok := e.sessions[id]; ok && (len(s.locks) > 0 || s.readLock || s.row != 0 || s.process == nil) {
			by := ""
			if s.process != nil {
				by = s.process.name
			}
			locks := e.w.names.canonical(fmt.Sprint(s.locks))
			b = fmt.Appendf(b, "%d %s %s %s %v %d|", s.serverID, s.user, by, locks, s.readLock, s.row)
		}
	}
	return b
}
