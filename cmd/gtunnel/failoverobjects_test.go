package main_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// pairObjects are events, and on MariaDB sequences, of a pair.
type pairObjects struct {
	p     *twoHosts
	given map[string]bool // numbers of the sequence
}

// The events: which one is enabled, which disabled, which of the master's alone.
const (
	runningEvent = failovertest.Database + ".runs"
	stillEvent   = failovertest.Database + ".still"
	ticks        = failovertest.Database + ".ticks"
	sequence     = failovertest.Database + ".numbers"
)

// makeObjects makes them on the first host.
func (p *twoHosts) makeObjects() *pairObjects {
	p.t.Helper()
	o := &pairObjects{p: p, given: map[string]bool{}}
	p.A.Exec("CREATE TABLE "+ticks+" (id INT AUTO_INCREMENT PRIMARY KEY, host VARCHAR(60) NOT NULL)",
		"CREATE EVENT "+runningEvent+" ON SCHEDULE EVERY 1 SECOND DO INSERT INTO "+ticks+" (host) VALUES (@@hostname)",
		"CREATE EVENT "+stillEvent+" ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT INTO "+ticks+" (host) VALUES ('still')")
	for _, h := range []*pairHost{p.a, p.b} {
		h.Exec("SET GLOBAL event_scheduler=ON")
	}
	if !p.Kind.IsMySQL() {
		p.A.Exec("CREATE SEQUENCE " + sequence + " CACHE 100")
		o.give(p.a)
	}
	p.Sync(p.A)
	return o
}

// give takes numbers of the sequence, of which none may have been given before.
func (o *pairObjects) give(h *pairHost) {
	o.p.t.Helper()
	if o.p.Kind.IsMySQL() {
		return
	}
	for range 250 {
		number := h.Value("SELECT NEXT VALUE FOR " + sequence)
		if o.given[number] {
			o.p.t.Fatalf("%s gives %s once more", h.Name, number)
		}
		o.given[number] = true
	}
}

// are wants them to be as they must be where the host is the master: the event that was
// enabled runs there, and nowhere else, and no other; the sequence gives no number again.
func (o *pairObjects) are(master *pairHost) {
	t, slave := o.p.t, master.peer
	t.Helper()
	o.give(master)
	status := func(h *pairHost, event string) string {
		_, name, _ := strings.Cut(event, ".")
		return h.Value("SELECT status FROM information_schema.events WHERE event_schema='" + failovertest.Database +
			"' AND event_name='" + name + "'")
	}
	waitUntil(t, runningEvent+" on "+master.Name, func() bool { return status(master, runningEvent) == "ENABLED" })
	ran := o.ticks(master)
	waitUntil(t, "a run of "+runningEvent+" on "+master.Name, func() bool { return o.ticks(master) > ran })
	if is := status(master, stillEvent); is == "ENABLED" {
		t.Errorf("%s is %s on %s", stillEvent, is, master.Name)
	}
	if n := master.Value("SELECT COUNT(*) FROM " + ticks + " WHERE host = 'still'"); n != "0" {
		t.Errorf("%s has run %s times", stillEvent, n)
	}
	if slave.Server.DB.PingContext(t.Context()) != nil { // it is lost
		return
	}
	for _, event := range []string{runningEvent, stillEvent} {
		if is := status(slave, event); is == "ENABLED" {
			t.Errorf("%s is %s on the slave %s", event, is, slave.Name)
		}
	}
	o.p.compare(slave)
}

// standStill wants no event to write to an old master that has come back: its option files
// turn the scheduler on, and the events there are as they were when it was the master.
func (o *pairObjects) standStill(old *pairHost) {
	o.p.t.Helper()
	old.Exec("SET GLOBAL event_scheduler=ON")
	if !o.p.Kind.IsMySQL() {
		old.Wait("SELECT @@GLOBAL.event_scheduler", "OFF")
	}
	ran := o.ticks(old)
	time.Sleep(1500 * time.Millisecond) // the event is of every second
	if now := o.ticks(old); now != ran {
		o.p.t.Errorf("%s ran %d times on %s, which is not the master", runningEvent, now-ran, old.Name)
	}
}

// ticks is how often the event has run, as far as the host knows.
func (o *pairObjects) ticks(h *pairHost) int {
	o.p.t.Helper()
	n, err := strconv.Atoi(h.Value(fmt.Sprintf("SELECT COUNT(*) FROM %s", ticks)))
	if err != nil {
		o.p.t.Fatal(err)
	}
	return n
}
