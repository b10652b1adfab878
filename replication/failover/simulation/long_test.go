package simulation

import "time"

// longScenarios are those that TestMutants needs besides: every step of every plan is in one of
// them, with what it is there for.
func longScenarios() []*scenario {
	return []*scenario{
		serverIDChanged(), switchoverUnderWrites(), clusterGoesOn(),
		{
			name: "all was received", writes: 4, cuts: true, long: true,
			script: []stage{
				write(), lag(1, 30*time.Second), off(0), promote(1), write(), bootA(), lag(0, 20*time.Second), rejoin(0),
				write(), switchover(0), write(),
			},
		},
		{
			name: "the slave was stopped as well", writes: 4, cuts: true, long: true,
			script: []stage{
				write(), lag(1, 0), off(0),
				{name: "B is killed", do: func(w *world) { w.killServer(w.hosts[1]) }},
				promote(1), write(), bootA(), rejoin(0), write(),
			},
		},
		{
			name: "the master comes back", writes: 4, cuts: true, long: true,
			script: []stage{
				write(), lag(1, 40*time.Second),
				{name: "the link falls silent for a while", do: func(w *world) {
					w.link = link{since: time.Now()}
					w.in(linkReturns, "", func() { w.link = link{toA: true, toB: true} }) // the script goes on meanwhile
				}},
				promoteInVain(1), switchover(1), write(),
			},
		},
		{
			name: "logs were purged", writes: 4, cuts: true, long: true,
			script: []stage{
				write(),
				{name: "B purges its binary log", do: func(w *world) { w.hosts[1].engine.purge() }},
				switchover(1), write(), switchover(0), write(),
			},
		},
		{
			name: "the data differs", writes: 4, cuts: true, long: true,
			script: []stage{
				write(), off(0), promote(1), write(), bootA(),
				{name: "an administrator changes A, and logs nothing", do: func(w *world) {
					w.hosts[0].engine.rows = append(w.hosts[0].engine.rows, unlogged)
				}},
				rejoinInVain(0), rejoin(0), write(),
			},
		},
		{
			name: "an old right to be alone", writes: 4, cuts: true, long: true,
			script: []stage{
				write(), switchover(1), write(), off(1), promote(0), write(),
				{name: "B boots, and the link is silent", do: func(w *world) {
					w.hosts[1].off = false
					w.bootHost(w.hosts[1])
					w.cut(false, false, false)
				}},
				rejoin(1), write(),
			},
		},
	}
}

func switchoverUnderWrites() *scenario {
	return &scenario{
		name: "a switchover under writes", writes: 4, cuts: true, long: true,
		script: []stage{write(), writeOn(0), switchover(1), write()},
	}
}

// unlogged is a row that is in no binary log.
const unlogged = 1000

// bootA gives A its power back.
func bootA() stage {
	return stage{name: "A boots", do: func(w *world) { w.hosts[0].off = false; w.bootHost(w.hosts[0]) }}
}

// off is a stage in which a host loses its power for good.
func off(on int) stage {
	return stage{name: "host " + string("AB"[on]) + " is lost", do: func(w *world) {
		w.hosts[on].off = true
		w.powerCut(w.hosts[on])
	}}
}

// writeOn is a stage after which clients write to a master until it cannot be written to, while
// its slave applies nothing for a while; and an administrator as soon as the slave has the term.
func writeOn(on int) stage {
	return stage{name: "clients and an administrator write on", do: func(w *world) {
		h, slave := w.hosts[on], w.other(w.hosts[on])
		w.until = func(w *world) bool {
			if n, _ := slave.note.note(); n.Request == nil || slave.engine.sql.held {
				return n.IsMaster() && w.administrates(h)
			}
			slave.engine.sql.held = true
			w.write(h)
			w.holdFor(5*time.Second, slave, &slave.engine.sql)
			return false
		}
	}}
}

// administrates has an administrator write to a server, if that lets him.
func (w *world) administrates(h *host) bool {
	root := &session{user: "root", logBin: true, serverID: h.engine.serverID()}
	if h.engine.up && h.engine.mayWrite(root) == nil {
		w.add(h, root)
	}
	return true
}

// lag is a stage in which a slave receives a row, and applies it only after a while; 0: not
// before its server is started again.
func lag(on int, d time.Duration) stage {
	return stage{name: "the SQL thread of " + string("AB"[on]) + " gets nothing done", do: func(w *world) {
		h := w.hosts[on]
		h.engine.sql.held = true
		w.write(w.other(h))
		if d > 0 {
			w.holdFor(d, h, &h.engine.sql)
		}
	}}
}
