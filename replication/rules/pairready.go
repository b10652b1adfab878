package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Ready is a pair as a check of this host finds it before a failover.
type Ready struct {
	Now       time.Time
	Mode      term.Mode // of the guards
	Note      term.Note
	Own, Peer PairHost
	Silent    error // why the peer's server cannot be asked; nil: it answers
	Login     error // of this host at the peer's server, by the account of the replication; nil: it works
}

// PairHost is one of the two hosts.
type PairHost struct {
	Name   string
	Facts  *facts.Facts // of the peer its variables and plugins; nil: not known
	Record *term.Record // nil: it has none
	Rights facts.Rights // nil: not known
	Alike  *facts.Alike // nil: not known
	Guard  *bool        // whether its guard runs; nil: not known

	// Unset are the settings of a pair that it lacks: of this host those of its option
	// files, too.
	Unset []string
}

// beforeFailover are the moments before a failover.
const beforeFailover = CheckPromote | CheckSwitchover | CheckRejoin

// readyRules are about what a failover needs, beforehand.
var readyRules = slices.Concat([]Rule{
	{
		Code: "peer-silent", On: finding.Peer, Needs: OfPair, Warning: CheckPromote, judge: isSilent,
		Meaning: "the other host's server cannot be asked, so what both must have alike was not compared",
		Cure:    silentCure,
	},
	{
		Code: "peer-silent", On: finding.Peer, Needs: OfPair, Problem: CheckSwitchover | CheckRejoin, judge: isSilent,
		Cure: silentCure,
	},
	{
		Code: "pair-term", On: finding.Own, Needs: OfPair, Problem: beforeFailover, judge: knowsNoTerm,
		Cure: "gtunnel replication setup-master on the master, and then setup-slave on the other host, make them a pair",
	},
	{
		Code: "no-gtids", Needs: OfPair, Warning: beforeFailover, judge: rejoinsByCopy,
		Cure: "gtunnel replication setup-master --turn-gtids-on on the master, setup-slave --turn-gtids-on on the other " +
			"host, and both once more",
	},
	{
		Code: "pair-family", On: finding.Peer, Needs: OfPair, Problem: CheckSwitchover | CheckRejoin, judge: isOfOtherSeries,
		Cure: "update the older one",
	},
	{
		Code: "events-unseen", On: finding.Own, Needs: OfPair, Warning: CheckPromote, judge: hasNotSeen,
		Meaning: "which events are enabled on the master, and where its sequences stand, has not been noted yet: " +
			"a promotion would list events, and enable none",
		Cure: "systemctl enable --now gtunnel-guard; it notes them within minutes while the master answers",
	},
	{
		Code: "stands-aside", On: finding.Own, Needs: OfPair, Problem: CheckPromote | CheckSwitchover, judge: hasStoodAside,
		Meaning: "this host has promised not to become the master",
		Cure:    "gtunnel replication guard --stand-by",
	},
	{
		Code: "awaits-cluster", On: finding.Own, Needs: OfPair, Warning: beforeFailover, judge: awaitsCluster,
		Meaning: "this master is read-only until the cluster manager promotes it",
		Cure: "pcs status, or crm status, says why it does not promote this host; in its maintenance mode you may: " +
			"gtunnel replication promote --cluster",
	},
	{
		Code: "slave-stopped", On: finding.Own, Needs: OfPair, Problem: CheckSwitchover, judge: pairSlaveStopped,
		Meaning: "the slave of the pair does not replicate",
		Cure:    "gtunnel replication status says why",
	},
}, alikeRules, ofReadyHost(finding.Own), ofReadyHost(finding.Peer))

// ofReadyHost are the rules of one of the hosts.
func ofReadyHost(which finding.Role) []Rule {
	return []Rule{
		{
			Code: "pair-settings", On: which, Needs: OfPair, Problem: beforeFailover, judge: lacksSettings,
			Meaning: "a host of a pair lacks settings that a failover needs",
			Cure:    "gtunnel replication setup-master on the master, setup-slave on the other host: once more, there",
		},
		{
			Code: "no-guard", On: which, Needs: OfPair, Problem: beforeFailover, judge: lacksGuard,
			Meaning: "the guard of a host of a pair does not seem to run: its server would stay read-only after a restart",
			Cure:    "on that host: systemctl enable --now gtunnel-guard",
		},
		{
			Code: "replication-login", On: which, Needs: OfPair, Problem: CheckSwitchover | CheckRejoin, judge: cannotFollow,
			Meaning: "a host of a pair cannot log in to the other as it must once it is its slave",
			Cure: "gtunnel replication setup-master on the master, and setup-slave on the other host with its hand-over file, " +
				"once more",
		},
	}
}

func awaitsCluster(j *judgement) {
	r := j.Ready
	if r.Mode == term.Cluster && r.Note.IsMaster() && r.Own.Facts.On("read_only") {
		j.say("this host is the master, by the term %d, and read-only: it waits for the cluster manager", r.Note.Term.Number)
	}
}

// host is the one that the rule is about.
func (j *judgement) host() *PairHost {
	if j.rule.On == finding.Peer {
		return &j.Ready.Peer
	}
	return &j.Ready.Own
}

// here is the command that sets this host up again.
func (r *Ready) setup(h *PairHost) string {
	if r.Note.Term.Master == h.Name {
		return "gtunnel replication setup-master"
	}
	return "gtunnel replication setup-slave"
}

// on says on which host a command is to be run, if it is not this one.
func (j *judgement) onHost(command string) string {
	if j.rule.On == finding.Peer {
		return "on " + j.Ready.Peer.Name + ": " + command
	}
	return command
}

func isSilent(j *judgement) {
	err := j.Ready.Silent
	if err == nil {
		return
	}
	cure := j.rule.Cure
	if server.IsAccessDenied(err) { // its account is missing there, or has another password
		cure = j.Ready.loginCure(&j.Ready.Peer)
	}
	j.add(&finding.Problem{
		On: finding.Peer, Code: j.rule.Code, Text: "its server cannot be asked through the tunnel", Err: err, Cure: cure,
	})
}

// silentCure is what to do about a silent peer.
const silentCure = "gtunnel replication status says what is wrong"

func knowsNoTerm(j *judgement) {
	own := j.Ready.Note.Term
	if own.IsZero() {
		j.say("it does not know who is the master of the pair")
		return
	}
	record := j.Ready.Peer.Record
	switch {
	case j.Ready.Silent != nil:
	case record == nil || record.Term.IsZero():
		j.sayCure(j.onPeer(j.Ready.setup(&j.Ready.Peer)), "%s does not know who is the master of the pair", j.Ready.Peer.Name)
	case !record.Term.Same(own):
		j.sayCure("gtunnel replication status on both says what to do",
			"it knows the term %d, whose master is %s, and %s the term %d, whose master is %s",
			own.Number, own.Master, j.Ready.Peer.Name, record.Term.Number, record.Term.Master)
	}
}

func (j *judgement) onPeer(command string) string { return "on " + j.Ready.Peer.Name + ": " + command }

func lacksSettings(j *judgement) {
	if h := j.host(); len(h.Unset) > 0 {
		j.sayCure(j.onHost(j.Ready.setup(h)), "it lacks settings of a pair: %s", finding.Items(h.Unset))
	}
}

func lacksGuard(j *judgement) {
	if h := j.host(); h.Guard != nil && !*h.Guard {
		j.sayCure(j.onHost("systemctl enable --now gtunnel-guard"), "no guard runs: after a restart nobody makes the server "+
			"writable, or starts the slave")
	}
}

func cannotFollow(j *judgement) {
	h := j.host()
	why := ""
	switch {
	case j.Ready.Silent != nil:
	case j.rule.On == finding.Own && j.Ready.Login != nil:
		why = j.Ready.Login.Error()
	case j.rule.On == finding.Peer && h.Record != nil:
		why = h.Record.LoginErr
	}
	if why == "" {
		return
	}
	at := &j.Ready.Peer // where the account is
	if j.rule.On == finding.Peer {
		at = &j.Ready.Own
	}
	j.sayCure(j.Ready.loginCure(at), "it cannot log in to the other host as the account of the replication: %s", why)
}

// loginCure mends an account of gtunnel's on the server of a host, whose passwords the
// setups know. The server of the master refuses one that somebody has changed: only new ones
// help then.
func (r *Ready) loginCure(at *PairHost) string {
	on := func(h *PairHost) string {
		if h == &r.Own {
			return ""
		}
		return "on " + h.Name + ": "
	}
	master, slave := r.byRole()
	if at == slave {
		return on(slave) + "gtunnel replication setup-slave"
	}
	return on(master) + "gtunnel replication setup-master; if that says that a password is refused, with " +
		"--new-passwords; then its hand-over file to " + slave.Name + ", and on " + slave.Name +
		": gtunnel replication setup-slave"
}

// bothSeen reports whether the facts of both hosts are known.
func (r *Ready) bothSeen() bool { return r.Own.Facts != nil && r.Peer.Facts != nil }

func rejoinsByCopy(j *judgement) {
	for _, h := range []*PairHost{&j.Ready.Own, &j.Ready.Peer} {
		if h.Facts != nil && LacksGTIDs(h.Facts) {
			master, slave := j.Ready.byRole()
			j.sayCure("on "+master.Name+": gtunnel replication setup-master --turn-gtids-on; then on "+slave.Name+": gtunnel "+
				"replication setup-slave --turn-gtids-on; then both once more",
				"gtid_mode of %s is %s: after a promotion the old master rejoins by a new copy", h.Name,
				h.Facts.Variable("gtid_mode"))
			return
		}
	}
}

func isOfOtherSeries(j *judgement) {
	if !j.Ready.bothSeen() {
		return
	}
	own, peer := j.Ready.Own.Facts.Version, j.Ready.Peer.Facts.Version
	if own.Family != peer.Family || own.Series() != peer.Series() {
		j.say("it is %s, and this host %s: the older one cannot follow", peer, own)
	}
}

func hasNotSeen(j *judgement) {
	if n := j.Ready.Note; !n.Term.IsZero() && !n.IsMaster() && (n.Seen == nil || n.Seen.EventsAt.IsZero()) {
		j.say("which events are enabled on the master has not been noted yet")
	}
}

func hasStoodAside(j *judgement) {
	if n := j.Ready.Note; !n.StandsAside.IsZero() && !n.IsMaster() {
		j.say("it stands aside since %s", n.StandsAside.Format(time.RFC3339))
	}
}

func pairSlaveStopped(j *judgement) {
	n, f := j.Ready.Note, j.Ready.Own.Facts
	if n.Term.IsZero() || n.IsMaster() || f == nil {
		return
	}
	if c := f.Master(); c == nil || !c.Running() {
		j.say("its replication does not run")
	}
}

// LacksSetting is one of a pair's settings as PairHost.Unset names it.
func LacksSetting(name, value string, f *facts.Facts) string {
	is := f.Variable(name)
	if f.Version.Family == server.MariaDB && is == "" {
		return name + "=" + value
	}
	return fmt.Sprintf("%s=%s (it is %s)", name, value, is)
}
