package failover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// How much a switchover puts up with.
const (
	// MaxLag is how long the slave may take to apply what the master had when it was
	// asked: writers would wait for as long, at the least.
	MaxLag = 10 * time.Second

	// MaxStatement is how long a statement or transaction of the master may have been
	// running. The lock of the demotion does not wait for longer, and an open
	// transaction is rolled back by it.
	MaxStatement = 3 * time.Second

	// LoginFresh is how old the old master's last login at this host may be, by the
	// account with which it will follow. Its guard logs in every ten minutes.
	LoginFresh = 25 * time.Minute
)

// SwitchoverFacts are all that a switchover is judged and planned by. Nonce is the random
// one of a request that is to be made.
type SwitchoverFacts struct {
	Name, Peer string // of the hosts
	Note       term.Note
	Nonce      string
	Now        time.Time

	Own      SwitchoverOwn
	Other    *SwitchoverOther // nil: it does not answer
	Silent   error            // why it does not
	LoginErr error            // of this host's at the other, by the account of the replication

	// Received is that this server has all that was in the other's binary log when it was
	// read, and Lag how long that took; without it, how long it was waited for.
	Received bool
	Lag      time.Duration
}

// SwitchoverSide is what is true of a server, whichever.
type SwitchoverSide struct {
	Version  server.Version
	Writable bool // a client without special rights can write
	GTIDs    bool
	Log      server.Position // of its binary log, with what it has written
	Applied  string          // MariaDB: gtid_slave_pos
	Slave    *server.SlaveStatus
	Guard    uint64 // the connection of its guard; 0: none runs
}

// SwitchoverOwn is what this host's server says.
type SwitchoverOwn struct {
	SwitchoverSide

	MayStart    bool        // its slave stands, and a start of it loses nothing: see term.Own
	Super       bool        // MySQL: super_read_only
	LogsUpdates bool        // log_slave_updates
	Scheduler   bool        // event_scheduler is on, or will be once it is the master
	Temporary   uint64      // tables of the slave's that live with their connection
	Prepared    int         // transactions of XA
	Row         term.Record // as it is to be now

	// Old are the sessions that are ended before it is made writable: see oldSessions.
	Old []server.Process
}

// SwitchoverOther is what the other host's says.
type SwitchoverOther struct {
	SwitchoverSide

	Record       *term.Record             // nil: it has none that can be read
	Transactions []server.OpenTransaction // that have been open for longer than MaxStatement
	Statements   []server.Process         // that have run for longer
	Events       []string                 // of the pair's databases that are enabled: "database.event"
	Strict       bool                     // MariaDB: gtid_strict_mode
}

// raised reports whether the term is this host's already.
func (f *SwitchoverFacts) raised() bool { return f.Note.IsMaster() }

// closed reports whether the old master is read-only already, such as after a start at
// which it had less than this host has received: it has no writers.
func (f *SwitchoverFacts) closed() bool { return f.Other != nil && !f.Other.Writable }

// startsSlave reports whether the slave, which was stopped by the start of its server, is to
// be started: its guard does not, as long as the request stands.
func (f *SwitchoverFacts) startsSlave() bool { return f.closed() && !f.Received && f.Own.MayStart }

// judgeSwitchover says what stands in the way of a switchover. It is a pure function.
func judgeSwitchover(f *SwitchoverFacts) finding.Findings {
	j := &switchoverJudge{SwitchoverFacts: f}
	switch {
	case f.Note.IsDemoted(): // its guard holds it read-only: nothing may be written here
		j.Problem(finding.Own, string(term.IsDemoted), "run it on "+f.Peer+" again, which ends that; if it is lost: "+
			"gtunnel replication promote here", "this host is read-only for a switchover to %s that has not ended", f.Peer)
		return j.Findings
	case f.raised(): // nothing is asked any more: it is to be finished
		return j.Findings
	}
	if j.terms(); len(j.Problems) == 0 {
		j.slave()
		j.settings()
		j.master()
		j.logins()
	}
	for _, p := range j.Problems { // both are of one family, or that is the problem
		p.Cure = f.Own.Version.InWords(p.Cure)
	}
	return j.Findings
}

type switchoverJudge struct {
	*SwitchoverFacts
	finding.Findings
}

const (
	statusCure = "gtunnel replication status says more"
	againCure  = "then run this again: gtunnel replication switchover"
)

// terms: both say the same of who is the master, and nobody else wants to become it.
func (j *switchoverJudge) terms() {
	switch {
	case j.Note.Term.IsZero():
		j.Problem(finding.Own, string(term.TermUnknown), "bring "+j.Peer+" and the tunnel to it up: the guard reads the term"+
			" there, within seconds; "+againCure, "it does not know who of the pair is the master")
	case !j.Note.StandsAside.IsZero():
		j.Problem(finding.Own, "stands-aside", "gtunnel replication guard --stand-by; "+againCure,
			"it stands aside since %s, and has promised not to become the master", shownTime(j.Note.StandsAside))
	case j.Other == nil:
		j.add(&finding.Problem{
			On: finding.Peer, Code: "peer-silent", Text: "its server does not answer, and a switchover needs both",
			Cure: "if " + j.Peer + " lives: its server, gtunnel there and the network (gtunnel replication status); " +
				"if it is lost: gtunnel replication promote",
			Err: j.Silent,
		})
	case j.Other.Record == nil || j.Other.Record.Term.IsZero() || j.Other.Guard == 0:
		j.Problem(finding.Peer, "no-guard", "on "+j.Peer+": systemctl enable --now gtunnel-guard; "+againCure,
			"its guard does not run, or is only starting")
	case j.Note.Term.Conflicts(j.Other.Record.Term):
		j.Problem("", string(term.SplitBrain), "gtunnel replication status on both says what differs and how to choose",
			"both hosts say that they are the master, by terms of the same number %d", j.Note.Term.Number)
	case !j.Note.Term.Same(j.Other.Record.Term):
		j.Problem("", "terms-differ", "wait for the guards, which agree within seconds; "+againCure+
			"; if that does not help: systemctl status gtunnel-guard on both",
			"this host knows the term %d, and the other the term %d", j.Note.Term.Number, j.Other.Record.Term.Number)
	case j.Other.Record.Request != nil:
		j.Problem(finding.Peer, "busy", "wait for its end; "+againCure, "a %s to it has begun", j.Other.Record.Request.By)
	}
}

// slave: this server follows, and is not far behind.
func (j *switchoverJudge) slave() {
	s := j.Own.Slave
	resumes := j.Note.Request != nil // of a run that was cut off, which may have stopped it
	switch {
	case s == nil:
		j.Problem(finding.Own, "no-slave", "gtunnel replication rejoin, which makes it one", "it is no slave")
		return
	case s.SQLErrno != 0:
		p := finding.ExplainSlaveError(s.SQLErrno, s.SQLError)
		j.Problem(finding.Own, "slave-stopped", p.For(s.Replicated()).Cure,
			"its slave has stopped with error %d: %s", s.SQLErrno, s.SQLError)
		return
	case j.startsSlave():
	case s.SQLRunning != "Yes" && s.Unapplied() && j.closed():
		j.Problem(finding.Own, "slave-stopped", "on "+j.Peer+": systemctl stop gtunnel gtunnel-guard; then here: gtunnel "+
			"replication promote, which applies what was received; then start both there again, and: gtunnel replication rejoin",
			"its slave is stopped, and its relay log has what is not applied, and what the other may not have any more")
		return
	case s.Running() || resumes && j.Received || j.closed() && j.Received:
	case j.closed():
		j.Problem(finding.Own, "slave-stopped", statusCure,
			"its slave does not run, and it does not have all that the other has in its binary log")
		return
	default:
		j.Problem(finding.Own, "slave-stopped", "the guard starts it when the other answers; "+statusCure,
			"its slave does not run")
		return
	}
	if s.Delay > 0 {
		j.Problem(finding.Own, "delayed", "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE; "+againCure,
			"its slave is told to stay %d seconds behind", s.Delay)
	}
	if !j.Received && !j.startsSlave() {
		j.Problem(finding.Own, "lagging", "wait until gtunnel replication status says ok; "+againCure,
			"its slave is more than %s behind", finding.FormatDuration(j.Lag.Round(time.Second)))
	}
	if j.Own.Temporary > 0 {
		j.Problem(finding.Own, "temporary-tables", "wait until the sessions on the other that made them have ended: "+
			"SHOW GLOBAL STATUS LIKE '%_open_temp_tables' must give 0; "+againCure,
			"its slave has %s of sessions on the other, which a stop would lose",
			finding.Count(int(min(j.Own.Temporary, 1<<31)), "open temporary table"))
	}
	if j.Own.Prepared > 0 {
		j.Problem(finding.Own, "prepared-transactions", "end them on the other, where they were begun: XA RECOVER shows"+
			" them; XA COMMIT '...' or XA ROLLBACK '...' for each; "+againCure, "it has %s",
			finding.Count(j.Own.Prepared, "prepared XA transaction"))
	}
}

// settings: the new master logs what the old one is to get from it.
func (j *switchoverJudge) settings() {
	if !j.Own.LogsUpdates {
		j.Problem(finding.Own, "not-ready", "gtunnel replication setup-slave, which sets it; "+againCure,
			"log_slave_updates is off, so that the other could not follow it")
	}
	if !j.Own.Scheduler && len(j.Other.Events) > 0 {
		j.Warn(finding.Own, "event-scheduler", "SET GLOBAL event_scheduler=ON; and in its option files",
			"event_scheduler is off on it: once it is the master, no event runs (%s)", finding.Items(j.Other.Events))
	}
	if j.Own.Version.Family != j.Other.Version.Family {
		j.Problem("", "not-ready", "a switchover is between servers of one family",
			"%s could not follow %s", j.Other.Version, j.Own.Version)
	}
}

// master: nothing on it holds the demotion up, or is lost by it.
func (j *switchoverJudge) master() {
	if j.closed() {
		return
	}
	var long, ends []string
	prepared := 0
	for _, t := range j.Other.Transactions {
		if t.Session == 0 {
			prepared++
			continue
		}
		ends = append(ends, fmt.Sprintf("KILL %d;", t.Session))
		long = append(long, fmt.Sprintf("connection %d, open for %s", t.Session, finding.FormatDuration(t.Age)))
	}
	if prepared > 0 {
		j.Problem(finding.Peer, "prepared-transactions", "there: XA RECOVER shows them; XA COMMIT '...' or XA ROLLBACK"+
			" '...' for each; "+againCure,
			"it has %s, which nobody could end afterwards", finding.Count(prepared, "prepared XA transaction"))
	}
	if len(long) > 0 {
		j.Problem(finding.Peer, "long-transaction",
			"wait for its end, or end it there: "+strings.Join(ends, " ")+" "+againCure,
			"a transaction is open for more than %s, and would be rolled back: %s", finding.FormatDuration(MaxStatement),
			strings.Join(long, "; "))
	}
	for _, p := range j.Other.Statements {
		if slices.ContainsFunc(j.Other.Transactions, func(t server.OpenTransaction) bool { return t.Session == p.ID }) {
			continue
		}
		j.Problem(finding.Peer, "long-statement",
			fmt.Sprintf("wait for its end, or end it there: KILL %d; %s", p.ID, againCure),
			"a statement runs for more than %s, and would hold the switchover up: %s", finding.FormatDuration(MaxStatement), &p)
	}
}

// logins: each side can log in at the other, as it will.
func (j *switchoverJudge) logins() {
	if j.LoginErr != nil {
		j.add(&finding.Problem{
			On: finding.Own, Code: "replication-login", Text: "it cannot log in at the other by the account of the replication",
			Cure: "gtunnel replication check; the password is in /etc/gtunnel/replication.cnf", Err: j.LoginErr,
		})
	}
	r := j.Other.Record
	switch age := j.Now.Sub(r.LoggedIn); {
	case r.LoginErr != "":
		j.Problem(finding.Peer, "replication-login", "gtunnel replication check there",
			"it could not log in at this host by the account of the replication, as it must to follow it: %s", r.LoginErr)
	case r.LoggedIn.IsZero() || age > LoginFresh:
		j.Problem(finding.Peer, "login-untried", "on "+j.Peer+": systemctl status gtunnel-guard, which tries it every ten "+
			"minutes and at its start; gtunnel replication check there; "+againCure,
			"it has not logged in at this host by the account of the replication lately, as it must to follow it")
	}
}

// add adds a problem that has a cause.
func (j *switchoverJudge) add(p *finding.Problem) { j.Problems = append(j.Problems, p) }

// shownTime is a time for a sentence.
func shownTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
