package rules

import (
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// outsideRules are about slaves beside the two hosts of a pair, which follow its master and
// cannot take its place; and about all slaves of a master that has several.
var outsideRules = []Rule{
	{
		Code: "not-the-master", On: finding.Slave, Needs: BothFacts, Problem: SetupSlave, judge: followsNoMaster,
		Meaning: "the host that this slave follows, or is to follow, is not the master of its pair",
		Cure:    "gtunnel replication follow, which finds the master and follows it",
	},
	{
		Code: "not-the-master", On: finding.Slave, Needs: Connection, Problem: Status, judge: followsNoMaster,
		Cure: "gtunnel replication follow, which finds the master and follows it",
	},
	{
		Code: "semi-sync-outside", On: finding.Slave, Warning: SetupSlave | Status, judge: acknowledgesOutside,
		Meaning: "a slave that is not of the pair acknowledges semi-synchronously: that counts for the pair's promise",
		Cure:    "turn it off there: SET GLOBAL rpl_semi_sync_slave_enabled=OFF, and in its option files",
	},
	{
		Code: "slave-gone", On: finding.Master, Warning: StatusMaster, judge: hasLostSlave,
		Meaning: "a slave that this master had is not connected",
		Cure: "gtunnel replication status there says why; if it is no slave of this master any more: " +
			"gtunnel replication status --forget ID",
	},
}

// followsNoMaster is about a slave that is not of the pair.
func followsNoMaster(j *judgement) {
	r := j.PairOfMaster
	if r == nil || r.Term.IsZero() || r.Term.Master == r.Name {
		return
	}
	cure := j.rule.Cure
	if j.Moment == SetupSlave && !j.Established() {
		cure = "on " + r.Term.Master + ": gtunnel replication setup-master, and its hand-over file here; and give the end " +
			"of the tunnel to it with --master"
	}
	j.sayCure(cure, "the host at this end of the tunnel, %s, is not the master of its pair: that is %s, by the term %d",
		r.Name, r.Term.Master, r.Term.Number)
}

// acknowledgesOutside is about a slave that is not of the pair.
func acknowledgesOutside(j *judgement) {
	names := []string{"rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"}
	if j.PairOfMaster == nil || !j.facts.On(names...) {
		return
	}
	j.sayCure(StopAcknowledging(j.facts.Version),
		"it acknowledges what it receives, and is not of the pair: a commit may be answered that the pair's other host does "+
			"not have")
}

// StopAcknowledging is the SQL by which a slave acknowledges no more, which its I/O thread
// takes up when it starts, and what keeps it so.
func StopAcknowledging(v server.Version) string {
	return fmt.Sprintf("%s; %s; %s; and turn it off in its option files, too", v.StopSemiSyncReplica(),
		v.StopSlave(server.IOThread), v.StartSlave(server.IOThread))
}

func hasLostSlave(j *judgement) {
	for _, s := range j.Seen.Gone {
		j.sayCure(strings.ReplaceAll(j.rule.Cure, "ID", fmt.Sprint(s.ServerID)), "%s, a slave of this master, is not "+
			"connected: it was seen last at %s", s, journal.NoteTime(s.Last))
	}
}

// followCodes are of a slave outside of a pair that is to follow its master.
var followCodes = []Code{
	{
		Code: "no-master", At: Follow, Meaning: "no host of a pair that can be asked says who is the master",
		Cure: "bring the tunnels to the hosts of the pair up",
	},
	{
		Code: "one-host", At: Follow, Meaning: "two tunnels lead to one host, or one host is a copy of the other",
		Cure: "gtunnel.toml needs a client for each host of the pair",
	},
	{
		Code: "stale-term", At: Follow, Meaning: "the hosts that answer know an older term than this slave has seen",
		Cure: "bring the host up that is the master by the later term, or the tunnel to it",
	},
	{Code: "master-silent", At: Follow},
	{
		Code: "no-hand-over", At: Follow, Meaning: "only a new copy helps, and the master's hand-over file is not here",
		Cure: "on the master: gtunnel replication setup-master --seed-again, and its hand-over file here",
	},
	{
		Code: "further-slaves", At: Promote,
		Meaning: "slaves beside the pair follow the old master, and do not follow the new one by themselves",
		Cure:    "on each of them, once the new one is the master: gtunnel replication follow",
	},
	{
		Code: "slaves-need-hand-over", At: SetupMaster,
		Meaning: "the slaves of this master log in by passwords that are replaced",
		Cure:    "the new hand-over file to each of them, and gtunnel replication setup-slave there",
	},
	{Code: "split-brain", At: Follow},
	{Code: "term-behind", At: Follow},
	{Code: "master-read-only", At: Follow},
	{Code: "not-ready", At: Follow},
	{Code: "changed", At: Follow},
	{Code: "errant", At: Follow},
	{Code: "errant-unreadable", At: Follow},
	{Code: "data-lost", At: Follow},
	{Code: "peer-silent", At: Follow},
	{Code: "peer-writable", At: Follow},
	{Code: "semi-sync-outside", At: Follow},
	{Code: "different", At: Follow},
	{Code: "not-set-up", At: Follow},
	{Code: "pair-table", At: Follow},
	{Code: "busy", At: Follow},
}
