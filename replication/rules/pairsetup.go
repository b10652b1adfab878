package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Pair is that a server is to be one of two of which either can be the master.
type Pair struct {
	Name, Peer string // of this host and the other, as in [pair] hosts
	Port       int    // of 127.0.0.1: where this host finds the peer's server
	Term       term.Term
	Record     *term.Record // of the master, for the setup of its slave; nil: it has none
	Others     []string     // databases beside the pair's that the administrator has agreed to
	GTIDs      bool         // MySQL's are turned on
	Foreign    []string     // files to be written that gtunnel has not made
}

// pairSetupRules are about what two servers must be that are to be a pair. Without a Pair
// they have nothing to say.
var pairSetupRules = slices.Concat([]Rule{
	{
		Code: "pair-role", On: finding.Master, Problem: SetupMaster, judge: isSlaveOfPair,
		Meaning: "the host is not what the setup would make it, by the term of its pair",
		Cure:    "run setup-master on the host that is the master, and setup-slave on the other",
	},
	{Code: "pair-role", On: finding.Slave, Problem: SetupSlave, judge: isMasterOfPair},
	{
		Code: "pair-record", On: finding.Master, Needs: BothFacts, Problem: SetupSlave, judge: isNotOfPair,
		Meaning: "the master has not been set up as one of the pair",
		Cure:    "on the master: gtunnel replication setup-master, with [pair] in its configuration file; then this again",
	},
	{
		Code: "pair-term", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: knowsOtherTerm,
		Meaning: "the two hosts of a pair do not agree who is the master",
		Cure:    "gtunnel replication status on both shows it; gtunnel replication rejoin on the one whose data is to go",
	},
	{
		Code: "pair-family", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: cannotSwap,
		Meaning: "the two servers could not follow each other",
		Cure: "update the older one; or take [pair] out of the configuration: a slave can follow, " +
			"and not become the master",
	},
}, ofPairEnd(finding.Master, SetupMaster), ofPairEnd(finding.Slave, SetupSlave))

// ofPairEnd are the rules of one end of a pair.
func ofPairEnd(role finding.Role, at Moment) []Rule {
	return []Rule{
		{
			Code: "other-databases", On: role, Problem: at, judge: hasOtherDatabases,
			Meaning: "a server of a pair has databases beside the pair's",
			Cure: "they are read-only whenever this host is the slave, and are not replicated; what is written there " +
				"costs the old master its way back after a failover; if that is well: --other-databases with their names",
		},
		{
			Code: "no-gtids", On: role, Warning: at, judge: hasNoGTIDs,
			Meaning: "without GTIDs the old master of a pair rejoins by a new copy only",
			Cure:    "let the setup turn them on while the server runs: --turn-gtids-on",
		},
		{
			Code: "foreign-file", On: role, Problem: at, judge: wouldOverwriteLogin,
			Cure: "move it away; or give other paths with --monitor-file and --replication-file, to every command",
		},
	}
}

func isSlaveOfPair(j *judgement) {
	p := j.Pair
	if p == nil {
		return
	}
	if p.Term.Number > 0 && p.Term.Master != p.Name {
		j.sayCure("gtunnel replication setup-master on "+p.Term.Master+", and setup-slave here",
			"%s is the master of this pair, by the term %d", p.Term.Master, p.Term.Number)
		return
	}
	for _, m := range j.facts.Masters {
		if IsOurMaster(m, p.Port) && m.Active() {
			j.sayCure("gtunnel replication setup-master on "+p.Peer+", and setup-slave here",
				"it is the slave of %s, through the tunnel", p.Peer)
		}
	}
}

func isMasterOfPair(j *judgement) {
	if p := j.Pair; p != nil && p.Term.Number > 0 && p.Term.Master == p.Name {
		j.sayCure("gtunnel replication setup-slave on "+p.Peer+
			"; if this host is to be the slave from now on: gtunnel replication switchover there, or rejoin here",
			"this host is the master of the pair, by the term %d", p.Term.Number)
	}
}

func isNotOfPair(j *judgement) {
	p := j.Pair
	switch {
	case p == nil:
	case p.Record == nil || p.Record.Term.IsZero():
		j.say("it has not been set up as one of the pair")
	case p.Record.Name != p.Peer:
		j.sayCure("do both hosts have the same hosts in [pair]? Does the tunnel lead to the right one?",
			"it says that it is %q, and the peer of this host is %s", p.Record.Name, p.Peer)
	case p.Record.Term.Master != p.Peer:
		j.sayCure("gtunnel replication status there; then setup-slave on the host that is not the master",
			"it is not the master of the pair: %s is, by the term %d", p.Record.Term.Master, p.Record.Term.Number)
	}
}

func knowsOtherTerm(j *judgement) {
	p := j.Pair
	if p == nil || p.Record == nil || p.Term.IsZero() || p.Record.Term.Same(p.Term) {
		return
	}
	if p.Term.Number >= p.Record.Term.Number && p.Term.Master != p.Name {
		j.say("this host knows the term %d, whose master is %s, and the other one the term %d, whose master is %s",
			p.Term.Number, p.Term.Master, p.Record.Term.Number, p.Record.Term.Master)
	}
}

func cannotSwap(j *judgement) {
	if j.Pair == nil {
		return
	}
	master, slave := j.Master.Version, j.Slave.Version
	if master.Family != slave.Family {
		j.sayCure("take [pair] out of the configuration of both: this is a migration",
			"a slave of %s cannot become the master of %s", slave, master)
		return
	}
	if seriesBefore(master, slave) {
		j.sayCure("update the master to "+slave.Series()+" too; or, until then, take [pair] out of the configuration",
			"after a failover the older %s could not follow %s", master, slave)
	}
}

func hasOtherDatabases(j *judgement) {
	if j.Pair == nil {
		return
	}
	var others []string
	for _, name := range j.facts.DatabaseNames() {
		if !slices.Contains(j.Databases, name) && !slices.Contains(j.Pair.Others, name) {
			others = append(others, name)
		}
	}
	if len(others) > 0 && len(j.Databases) > 0 {
		j.sayCure("they are read-only whenever this host is the slave, and are not replicated; what is written there "+
			"costs the old master its way back after a failover. If that is well: --other-databases "+
			finding.ShellWord(strings.Join(others, ",")),
			"it has databases beside those of the pair: %s", finding.Items(others))
	}
}

// LacksGTIDs reports whether a server could have GTIDs, and has them turned off.
func LacksGTIDs(f *facts.Facts) bool { return f.Version.Family == server.MySQL && !f.GTIDs() }

func hasNoGTIDs(j *judgement) {
	if j.Pair != nil && !j.Pair.GTIDs && LacksGTIDs(j.facts) {
		j.say("gtid_mode is %s: after a promotion the old master comes back by a new copy only",
			j.facts.Variable("gtid_mode"))
	}
}

func wouldOverwriteLogin(j *judgement) {
	if j.Pair == nil {
		return
	}
	for _, path := range j.Pair.Foreign {
		if path != j.ForeignFile { // which another rule has
			j.say("%s exists and was not made by gtunnel", path)
		}
	}
}
