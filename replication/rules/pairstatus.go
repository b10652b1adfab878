package rules

import (
	"fmt"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// SeenPair is what a status has seen of the pair that this server is of.
type SeenPair struct {
	Name, Peer string // of this host and the other
	Mode       term.Mode
	Note       term.Note
	Decision   term.Decision // of the guard, as it would be now

	Writable     bool         // this server, but for accounts with special rights
	Slave        bool         // it has a connection to a master
	Slaves       int          // that are connected to it; once it is known which is the peer: that one
	PeerID       uint32       // the server_id of the other server; 0: it was not asked
	Record       *term.Record // of the other host; nil: it was not read
	PeerWritable *bool        // the other server; nil: it was not asked
	Guard        bool         // that of this host runs
	PeerGuard    *bool        // that of the other host runs; nil: it was not asked
	Silent       bool         // the other server does not say a word: it may be lost
	Mute         bool         // nor does it behind the tunnel's end here, which is up: the link may be cut
	SemiSync     *SemiSync    // nil: it is neither wanted nor there
}

// IsMaster reports whether this host is the master.
func (p *SeenPair) IsMaster() bool { return p.Note.IsMaster() }

// bothWritable reports whether both servers can be written to.
func (p *SeenPair) bothWritable() bool {
	return p.Writable && p.PeerWritable != nil && *p.PeerWritable
}

// healthInPair is the state of a server of a pair; empty: that of its replication counts.
func (s *Subject) healthInPair() Health {
	p := s.Seen.Pair
	switch {
	case p == nil || s.Moment != Status && s.Moment != StatusMaster:
		return ""
	case p.Decision.Code == term.SplitBrain || p.bothWritable():
		return HealthSplitBrain
	case s.Seen.Copying || s.Moment == Status && s.copyCutOff():
		return ""
	case p.Note.Term.IsZero() && !p.Writable:
		return HealthGuardReadOnly
	case p.Note.Term.IsZero():
		return ""
	case !p.IsMaster() && p.Writable:
		return HealthWritableSlave
	case !p.IsMaster() && !p.Slave, p.IsMaster() && !p.Writable:
		return HealthGuardReadOnly
	case !p.IsMaster():
		return ""
	case p.Slaves > 0 && p.Mute: // the kernel takes minutes to see that
		return HealthStalled
	case p.Slaves > 0:
		return HealthOK
	case p.Silent:
		return HealthTunnelDown
	default:
		return HealthConnecting
	}
}

// summaryInPair is the sentence of that.
func (s *Subject) summaryInPair() string {
	h := s.healthInPair()
	p := s.Seen.Pair
	switch {
	case h == "":
		return ""
	case h == HealthSplitBrain && p.Decision.Code != term.SplitBrain:
		return "this server and that of " + p.Peer + " can both be written to"
	case h == HealthWritableSlave:
		return fmt.Sprintf("%s is the master, by the term %d, and this server can be written to", p.Note.Term.Master,
			p.Note.Term.Number)
	case h == HealthOK:
		return p.reason() + ", and its slave is connected"
	case h == HealthStalled:
		return p.reason() + "; its slave looks connected, and nothing comes from there"
	case h == HealthTunnelDown:
		return p.reason() + "; its slave is not connected, and the server there does not answer"
	case h == HealthConnecting:
		return p.reason() + "; its slave is not connected"
	default:
		return p.reason()
	}
}

// reason is why the guard does what it does.
func (p *SeenPair) reason() string { return p.Decision.Reason }

// pairStatusRules are about a server of a pair.
var pairStatusRules = []Rule{
	{
		Code: "pair-unseen", On: finding.Own, Needs: PairUnseen, Problem: Status | StatusMaster, judge: hasNotSeenPair,
		Meaning: "whether this host is of a pair, or what it notes of that, cannot be read: the rest is told without it",
		Cure:    "mend the file that it names: gtunnel run --check lists all that is wrong with a configuration",
	},
	{
		Code: "split-brain", On: finding.Own, Needs: PairSeen, Problem: Status | StatusMaster, judge: isSplitBrain,
		Meaning: "both hosts say that they are the master, by terms of the same number",
		Cure:    "gtunnel replication status on both says what differs and how to choose",
	},
	{
		Code: "guard-read-only", On: finding.Own, Needs: PairSeen, Problem: Status | StatusMaster, judge: isKeptReadOnly,
		Meaning: "the guard keeps this server read-only",
		Cure:    "as it says: it waits for the other host, or for a word of the administrator",
	},
	{
		Code: "writable-slave", On: finding.Own, Needs: PairSeen, Problem: Status, judge: isWritableInPair,
		Meaning: "this server can be written to, and another is the master of the pair",
		Cure:    "its guard closes it: systemctl enable --now gtunnel-guard",
	},
	{
		Code: "no-slave", On: finding.Own, Needs: PairSeen, Problem: StatusMaster, judge: hasNoSlave,
		Meaning: "the master of a pair has no slave: what is written now is on one host only",
		Cure:    "gtunnel replication status on the other host says why",
	},
	{
		Code: "no-guard", On: finding.Own, Needs: PairSeen, Problem: Status | StatusMaster, judge: hasNoGuard,
		Meaning: "no guard runs on this host of a pair: nobody makes its server writable, starts its slave, or closes it",
		Cure:    "systemctl enable --now gtunnel-guard",
	},
	{
		Code: "no-guard", On: finding.Own, Needs: PairSeen, Warning: Status | StatusMaster, judge: peerHasNoGuard,
	},
	{
		Code: "master-silent", On: finding.Own, Needs: PairSeen | Connection, Warning: Status, judge: masterIsSilent,
		Meaning: "the master of a pair does not answer: what must not be done now",
		Cure: "bring it or the tunnel up, or, if it is lost: gtunnel replication promote; gtunnel replication promote " +
			"--dry-run tells what would be lost",
	},
	{
		Code: "stands-aside", On: finding.Own, Needs: PairSeen, Warning: Status | StatusMaster, judge: standsAside,
		Meaning: "a host of the pair has promised not to become the master",
		Cure:    "gtunnel replication guard --stand-by there",
	},
}

func hasNotSeenPair(j *judgement) {
	for _, p := range j.Seen.PairUnseen {
		cure := p.Cure
		if cure == "" {
			cure = j.rule.Cure
		}
		j.add(&finding.Problem{On: j.rule.On, Code: j.rule.Code, Text: p.Text, Err: p.Err, Cure: cure})
	}
}

func isSplitBrain(j *judgement) {
	p := j.Seen.Pair
	switch {
	case p.Decision.Code == term.SplitBrain:
		j.sayCure(p.Decision.Cure, "%s", p.reason())
	case p.bothWritable():
		cure := "systemctl enable --now gtunnel-guard, which closes this server; then: gtunnel replication rejoin"
		if p.IsMaster() {
			cure = "on " + p.Peer + ": systemctl enable --now gtunnel-guard, which closes the server there; then gtunnel " +
				"replication rejoin there"
		}
		j.sayCure(cure, "this server and that of %s can both be written to; by the term %d the master is %s", p.Peer,
			p.Note.Term.Number, p.Note.Term.Master)
	}
}

func isKeptReadOnly(j *judgement) {
	if p := j.Seen.Pair; j.Health() == HealthGuardReadOnly {
		j.sayCure(p.Decision.Cure, "%s", p.reason())
	}
}

func isWritableInPair(j *judgement) {
	p := j.Seen.Pair
	if j.Health() != HealthWritableSlave {
		return
	}
	cure := "systemctl enable --now gtunnel-guard, which makes it read-only"
	if p.Guard {
		cure = "the guard makes it read-only within seconds: look again; journalctl -u gtunnel-guard says what " +
			"keeps it from that"
	}
	j.sayCure(cure+"; gtunnel replication compare tells whether somebody has written there",
		"%s is the master of the pair, and this server can be written to", p.Note.Term.Master)
}

func hasNoSlave(j *judgement) {
	p := j.Seen.Pair
	if !p.IsMaster() {
		return
	}
	switch j.Health() {
	case HealthConnecting, HealthTunnelDown:
	case HealthStalled:
		j.sayCure("bring "+p.Peer+" or the link to it up; this host goes on without it",
			"nothing comes from %s, whose slave looks connected: what is written now may be on this host only", p.Peer)
		return
	default:
		return
	}
	cure := "gtunnel replication status on " + p.Peer + " says why"
	if p.Silent {
		cure = "bring " + p.Peer + " or the tunnel to it up; this host goes on without it"
	}
	if p.Note.Promotion != nil {
		cure = "when " + p.Peer + " is back: gtunnel replication rejoin there"
	}
	j.sayCure(cure, "%s, the slave of this master, is not connected: what is written now is on this host only", p.Peer)
}

func hasNoGuard(j *judgement) {
	if !j.Seen.Pair.Guard {
		j.say("no guard runs on this host: nobody makes its server writable, starts its slave, or closes it")
	}
}

func peerHasNoGuard(j *judgement) {
	if p := j.Seen.Pair; p.PeerGuard != nil && !*p.PeerGuard {
		j.sayCure("on "+p.Peer+": systemctl enable --now gtunnel-guard", "no guard runs on %s", p.Peer)
	}
}

// masterIsSilent says what not to do: each of it deletes what was received and not applied,
// on one kind of server or another.
func masterIsSilent(j *judgement) {
	p := j.Seen.Pair
	if p.IsMaster() || !p.Silent {
		return
	}
	j.sayCure("bring "+p.Peer+" or the tunnel to it up; if it is lost: gtunnel replication promote here, and first "+
		"gtunnel replication promote --dry-run, which says what would be lost; while it lives, "+
		"gtunnel replication switchover moves the master",
		"%s, the master, does not answer. Until it does, do not restart this host or its database, do not start the slave "+
			"by hand, and change nothing of its connection: what was received and not applied yet could be deleted", p.Peer)
}

func standsAside(j *judgement) {
	p := j.Seen.Pair
	if since := p.Note.StandsAside; !since.IsZero() && !p.IsMaster() {
		j.sayCure("gtunnel replication guard --stand-by",
			"this host stands aside since %s: it cannot become the master",
			since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if r := p.Record; r != nil && !r.StandsAside.IsZero() && p.IsMaster() {
		j.sayCure("on "+p.Peer+": gtunnel replication guard --stand-by",
			"%s stands aside since %s: it cannot become the master", p.Peer,
			r.StandsAside.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}
