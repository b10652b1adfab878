package simulation

import "fmt"

// serverIDChanged is a switchover to a server whose clients have been there since before a setup
// has changed its server_id.
func serverIDChanged() *scenario {
	return &scenario{
		name: "the server_id was changed", writes: 4, prepare: sameServerID, long: true,
		script: []stage{clientStays(1), changeServerID(1), write(), switchover(1), clientGoesOn(1), write()},
	}
}

// sameServerID is before a setup: the slave's server_id is that of its master.
func sameServerID(w *world) { w.hosts[1].engine.options["server_id"] = "1" }

// clientStays is a stage in which a client logs in, and stays.
func clientStays(on int) stage {
	return stage{name: "a client logs in at " + string("AB"[on]), do: func(w *world) {
		if h := w.hosts[on]; h.engine.up {
			w.stays = h.engine.login(clientUser, nil)
		}
	}}
}

// changeServerID is a stage in which a setup gives a slave its own server_id, and starts it.
func changeServerID(on int) stage {
	return stage{name: "the server_id of " + string("AB"[on]) + " is changed", do: func(w *world) {
		e := w.hosts[on].engine
		e.options["server_id"] = fmt.Sprint(e.number)
		if e.up {
			s := e.login("root", nil)
			_, _ = e.execute(s, "SET GLOBAL server_id="+e.options["server_id"])
			e.end(s)
			e.start(true, true)
		}
	}}
}

// clientGoesOn is a stage in which the client that has stayed writes, if it can.
func clientGoesOn(on int) stage {
	return stage{name: "the client that has stayed writes", do: func(w *world) {
		if w.stays != nil {
			w.writeBy(w.hosts[on], w.stays)
		}
	}}
}
