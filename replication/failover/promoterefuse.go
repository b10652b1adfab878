package failover

import (
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// The codes of refusals of a promotion.
const (
	// NotFenced is that nobody has stated that the old master cannot serve.
	NotFenced = "not-fenced"
	// LosesMore is that more may be lost than was agreed to.
	LosesMore = "loses-more"
)

// refusals are what forbids a promotion.
func (f *promoteFacts) refusals(want PromoteWant) (list []*finding.Problem) {
	refuse := func(code, cure, format string, args ...any) {
		list = append(list, finding.New(finding.Own, code, cure, format, args...))
	}
	n := &f.note
	s := f.slave.status
	if n.HostID == "" || n.Term.IsZero() {
		refuse(string(term.TermUnknown), "bring "+f.peer+" and the tunnel to it up: the guard reads the term there, within "+
			"seconds; if this pair was never set up: gtunnel replication setup-master on the master, and setup-slave here",
			"this host does not know who of the pair is the master, and must not become it by itself")
		return list
	}
	if p := f.signs.problem(&Host{Name: f.name, Peer: f.peer}, f.version); p != nil {
		return append(list, p)
	}
	if p := f.fencesOther(want); p != nil {
		list = append(list, p)
	}
	if !n.StandsAside.IsZero() && !f.isFenced(want) {
		refuse("stands-aside", "make sure that "+f.peer+" is off; then: "+f.command(want, f.peer)+
			"; if this host is to be ready again for a master that lives: gtunnel replication guard --stand-by",
			"this host stands aside since %s: %s may have become writable alone, by that promise", clock(n.StandsAside), f.peer)
	}
	switch {
	case f.note.IsMaster(): // it has demoted itself, and has all data
	case s == nil:
		list = append(list, noConnection())
	case f.variables["log_bin"] != "ON":
		refuse("no-binary-log", "log_bin in its option files, and a restart once "+f.peer+" is back",
			"this server writes no binary log: nobody could ever become its slave")
	case f.slave.tail != nil && f.slave.tail.Mixed != "":
		refuse("relay-log-order", "gtunnel help failover, \"relay log\"",
			"in the relay log %s is applied already, and transactions before it are not: to apply it from %s on would apply "+
				"that one twice", f.slave.tail.Mixed, f.slave.tail.Start)
	}
	if want.DryRun || f.canAsk { // it is said, or asked, later
		return list
	}
	if !f.isFenced(want) {
		list = append(list, notFenced(f, want))
	}
	if !want.LoseAtMost.Covers(&f.loss) {
		list = append(list, losesMore(f, want))
	}
	return list
}

// fencesOther is the refusal of a statement about a third host; nil if it is none.
func (f *promoteFacts) fencesOther(want PromoteWant) *finding.Problem {
	if want.Fenced == "" || want.Fenced == f.peer {
		return nil
	}
	return finding.New(finding.Own, "fenced-other", f.command(want, f.peer),
		"--fenced names %s, and the other host of this pair is %s", want.Fenced, f.peer)
}

// notFenced is the refusal without a statement.
func notFenced(f *promoteFacts, want PromoteWant) *finding.Problem {
	return finding.New(finding.Own, NotFenced,
		"switch "+f.peer+" off, or cut it off from its clients and from this host, for good; then: "+f.command(want, f.peer),
		"unreachable is not dead: nobody has stated that %s cannot serve any more", f.peer)
}

// losesMore is the refusal of a loss.
func losesMore(f *promoteFacts, want PromoteWant) *finding.Problem {
	text := "what may be lost is not known"
	if window, known := f.loss.Window(); known {
		text = fmt.Sprintf("what %s committed within %s may be lost", f.peer, finding.FormatDuration(window))
	}
	agreed := "; --lose-at-most agrees to " + finding.FormatDuration(want.LoseAtMost.Time)
	if want.LoseAtMost.Time == 0 {
		agreed = "; nobody has agreed to that"
	}
	fenced := want.Fenced
	if !f.canAsk && !f.isFenced(want) {
		fenced = f.peer
	}
	return finding.New(finding.Own, LosesMore, f.command(want, fenced)+
		"; or bring "+f.peer+" back, whose data is whole", "%s", text+agreed)
}

// command is the command line that would go on.
func (f *promoteFacts) command(want PromoteWant, fenced string) string {
	words := []string{"gtunnel replication promote"}
	if f.ordered {
		words = append(words, "--cluster")
	}
	if fenced != "" {
		words = append(words, "--fenced "+fenced)
	}
	switch {
	case want.LoseAtMost.Any:
		words = append(words, "--lose-at-most any")
	case !want.LoseAtMost.Covers(&f.loss):
		words = append(words, f.loss.flagFor())
	case want.LoseAtMost.Time > 0:
		words = append(words, "--lose-at-most "+want.LoseAtMost.Time.String())
	}
	if !f.canAsk && !want.DryRun { // nobody can agree to the steps either
		words = append(words, "--yes")
	}
	return strings.Join(words, " ")
}

// followThere is what further slaves need after a change of the master.
const followThere = "on each of them, once this host is the master: gtunnel replication follow"

// warnings are what an administrator should know before.
func (f *promoteFacts) warnings(want PromoteWant) (list []*finding.Problem) {
	warn := func(code, cure, format string, args ...any) {
		list = append(list, finding.New(finding.Own, code, cure, format, args...))
	}
	if len(f.slaves) > 0 && !f.note.IsMaster() {
		warn("further-slaves", followThere, "beside this host, %s follow %s, by [pair] slaves: what they have received is "+
			"not known here. One that was ahead of this host says so when it is to follow it", finding.List(f.slaves), f.peer)
	}
	if f.signs.blind != "" {
		warn("cannot-ask", "gtunnel run --check", "this host could not ask whether %s lives: %s", f.peer, f.signs.blind)
	}
	if f.note.PeerAlone != term.NotAlone {
		warn("peer-alone", "make sure that it is off, and stays off",
			"%s may become writable by itself when it comes back, without asking this host (%s)", f.peer, f.note.PeerAlone)
	}
	if s := f.slave.status; s != nil && s.SQLRunning != "Yes" && s.SQLErrno != 0 {
		p := cannotApply(s)
		warn(p.Code, p.Cure, "%s", p.Text)
	}
	if tail := f.slave.tail; tail != nil && tail.Torn != nil {
		warn("relay-log-torn", "", "the end of the relay log cannot be read: what is before it is applied (%v)", tail.Torn)
	}
	for _, name := range []string{"sync_binlog", "innodb_flush_log_at_trx_commit"} {
		if value := f.variables[name]; value != "1" && value != "" {
			warn("not-durable", "SET GLOBAL "+name+"=1; and in its option files",
				"%s is %s: as the master this server may lose its last transactions in a power cut", name, value)
		}
	}
	if f.version.Family == server.MySQL && f.variables["relay_log_recovery"] == "ON" {
		warn("relay-log-recovery", "relay_log_recovery=OFF in its option files",
			"relay_log_recovery is ON: if this server was restarted since %s was lost, what it had received and not applied "+
				"is gone", f.peer)
	}
	if want.DryRun && !f.note.IsMaster() {
		list = append(list, f.dryRun(want)...)
	}
	return list
}

// dryRun is what to know during an outage, and what a run would ask for.
func (f *promoteFacts) dryRun(want PromoteWant) []*finding.Problem {
	slave := f.version.Word("SLAVE", "REPLICA")
	list := []*finding.Problem{finding.New(finding.Own, "do-not-now", "",
		"until this is decided, do NOT restart this host or its server; do NOT run START, STOP or RESET %s here; "+
			"do NOT delete or move files of the relay log; do NOT start %s without its guard; "+
			"do NOT let clients write to either server", slave, f.peer)}
	if !f.isFenced(want) {
		list = append(list, notFenced(f, want))
	}
	if !want.LoseAtMost.Covers(&f.loss) {
		list = append(list, losesMore(f, want))
	}
	return list
}
