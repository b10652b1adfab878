package pacemaker_test

import "fmt"

// status is what the test's gtunnel says of the host server1, as `status --json` does.
type status struct {
	state, master string // the term's
	peerMaster    string // the term's by the peer; empty: it does not answer
	writable      bool
	noGuard       bool
	mode, waits   string
	follows       bool
	behind        int
}

func (s status) json() string {
	peer, answers, connection := "null", "null", "null"
	if s.peerMaster != "" {
		peer, answers = fmt.Sprintf(`{"number": 7, "master": %q}`, s.peerMaster), "false"
	}
	if s.follows {
		connection = "{}"
	}
	if s.mode == "" {
		s.mode = "cluster"
	}
	return fmt.Sprintf(`{"state": %q, "summary": "it's %s", "said": "\"\\\nerror\"",
		"connection": %s, "lag": {"seconds_behind": %d},
		"problems": [], "pair": {"name": "server1.domain.one", "peer": "server2.domain.two",
		"term": {"number": 7, "master": %q}, "peer_term": %s, "peer_writable": %s, "writable": %t,
		"guard": {"runs": %t, "mode": %q, "waits": %q, "reason": "why"}}}`,
		s.state, s.state, connection, s.behind, s.master, peer, answers, s.writable, !s.noGuard, s.mode, s.waits)
}

// like is a status that differs from another.
func like(s *status, change func(*status)) *status {
	changed := *s
	change(&changed)
	return &changed
}

// What the test's crm_mon says of server2's node.
const (
	online  = `online="true" unclean="false"`
	gone    = `online="false" unclean="false"`
	unclean = `online="false" unclean="true"`
)

// agentCase is one action of the agent.
type agentCase struct {
	action  string
	status  *status // nil: the server does not answer
	mark    string
	node    string
	noFence bool
	served  bool   // this host was the master since the cluster manager was started
	params  string // lose_at_most
	seen    string // what demote would find where status tells nothing: open, closed; empty: nothing
	refuses string // which of gtunnel's commands fails

	code   int
	calls  []string // of gtunnel's commands but status
	score  string
	marked string
	reason string // a part of it
}

// Two states that most begin with.
var (
	masterNow = &status{state: "ok", master: server1.name, peerMaster: server1.name, writable: true}
	slaveNow  = &status{state: "ok", master: server2.name, peerMaster: server2.name, follows: true}
	lostNow   = &status{state: "tunnel-down", master: server2.name, follows: true}
	closedNow = &status{state: "guard-read-only", master: server1.name, waits: "awaits-cluster"}
	oldNow    = &status{state: "guard-read-only", master: server2.name, peerMaster: server2.name, waits: "not-following"}
)

const (
	demotes  = "demote --cluster --yes --timeout 30s"
	switches = "switchover --cluster --yes"
	promotes = "promote --cluster --yes"
	rejoins  = "rejoin --yes --skip-compare"
	states   = " --fenced server2.domain.two"
	loses    = " --lose-at-most 0s"
)

// monitorCases are what monitor makes of what it hears.
var monitorCases = map[string]agentCase{
	"monitor: master": {
		action: "monitor", status: masterNow, mark: "master",
		code: 8, score: "1000", marked: "master",
	},
	"monitor: a pair that serves": {
		action: "monitor", status: masterNow,
		code: 8, score: "1000", marked: "master",
	},
	"monitor: not started":            {action: "monitor", status: slaveNow, code: 7},
	"monitor: not started, no server": {action: "monitor", code: 7},
	"monitor: slave": {
		action: "monitor", status: slaveNow, mark: "slave",
		score: "100", marked: "slave",
	},
	"monitor: slave without master": {
		action: "monitor", status: lostNow, mark: "slave",
		score: "90", marked: "slave",
	},
	"monitor: old master, demoted": {
		action: "monitor", status: closedNow, mark: "slave", served: true,
		score: "1000", marked: "slave",
	},
	"monitor: a master that was off, and the other is silent": {
		action: "monitor", status: closedNow, mark: "slave",
		code: 190, score: "none", marked: "slave", reason: "may have been the master while this host was off",
	},
	"monitor: a master that was off, and the other says that it was not": {
		action: "monitor", status: like(closedNow, func(s *status) { s.peerMaster = server1.name }), mark: "slave",
		score: "1000", marked: "slave",
	},
	"monitor: not marked, open, and more is not known": {
		action: "monitor", seen: "open", code: 8, marked: "master",
	},
	"monitor: not marked, closed, and more is not known": {action: "monitor", seen: "closed", code: 7},
	"monitor: lags": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.state, s.behind = "lagging", 600 }), mark: "slave",
		score: "10", marked: "slave",
	},
	"monitor: lags, by the limit": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.behind = 61 }), mark: "slave",
		score: "10", marked: "slave",
	},
	"monitor: broken": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.state = "sql-error" }), mark: "slave",
		code: 190, score: "none", marked: "slave", reason: "not to be promoted: sql-error: it's sql-error",
	},
	"monitor: diverged": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.state = "diverged" }), mark: "slave",
		code: 190, score: "none", marked: "slave",
	},
	"monitor: does not follow": {
		action: "monitor", status: oldNow, mark: "slave",
		code: 1, score: "none", marked: "slave", reason: "gtunnel replication rejoin",
	},
	"monitor: follows when it answers": {
		action: "monitor", status: like(oldNow, func(s *status) { s.peerMaster = "" }), mark: "slave",
		score: "none", marked: "slave",
	},
	"monitor: slave's server is dead": {
		action: "monitor", mark: "slave",
		code: 1, score: "none", marked: "slave", reason: "no answer",
	},
	"monitor: master's server is dead": {
		action: "monitor", mark: "master",
		code: 9, score: "none", marked: "master", reason: "no answer",
	},
	"monitor: the master's peer is silent": {
		action: "monitor", mark: "master", seen: "open",
		code: 8, marked: "master",
	},
	"monitor: the slave's master is silent": {action: "monitor", mark: "slave", seen: "closed", marked: "slave"},
	"monitor: closed, and more is not known": {
		action: "monitor", mark: "master", seen: "closed",
		code: 9, score: "none", marked: "master",
	},
	"monitor: open, and more is not known": {
		action: "monitor", mark: "slave", seen: "open",
		code: 1, score: "none", marked: "slave",
	},
	"monitor: master was restarted": {
		action: "monitor", status: closedNow, mark: "master",
		code: 9, marked: "master", reason: "was promoted",
	},
	"monitor: the guard is dead": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.noGuard = true }), mark: "slave",
		code: 1, score: "none", marked: "slave", reason: "gtunnel-guard",
	},
	"monitor: a slave that is open": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.state, s.writable = "writable-slave", true }),
		mark: "slave", code: 1, score: "none", marked: "slave", reason: "can be written to",
	},
	"monitor: split-brain": {
		action: "monitor", status: like(masterNow, func(s *status) { s.state = "split-brain" }), mark: "master",
		code: 9, score: "none", marked: "master",
	},
}

// startCases are the ways of a start.
var startCases = map[string]agentCase{
	"start: slave": {
		action: "start", status: slaveNow, node: online,
		calls: []string{demotes}, score: "100", marked: "slave",
	},
	"start: master": {
		action: "start", status: closedNow, node: gone, served: true,
		calls: []string{demotes}, score: "1000", marked: "slave",
	},
	"start: old master": {
		action: "start", status: oldNow, node: online,
		calls: []string{demotes, rejoins}, score: "none", marked: "slave", reason: "does not follow",
	},
	"start: a rejoin that fails": {
		action: "start", status: oldNow, node: online, refuses: "rejoin",
		code: 1, calls: []string{demotes, rejoins}, reason: "rejoin: refused",
	},
	"start: another guard": {
		action: "start", status: like(slaveNow, func(s *status) { s.mode = "strict" }), node: online,
		code: 6, reason: `guard = "strict"`,
	},
	"start: it cannot be demoted": {
		action: "start", status: slaveNow, refuses: "demote",
		code: 1, calls: []string{demotes}, reason: "refused",
	},
}

// promoteCases are whom it may take for fenced, and whom not.
var promoteCases = map[string]agentCase{
	"promote: own term": {
		action: "promote", status: closedNow, mark: "slave", node: online,
		calls: []string{promotes}, score: "1000", marked: "master",
	},
	"promote: own term, the peer fenced": {
		action: "promote", status: closedNow, mark: "slave", node: gone, served: true,
		calls: []string{promotes + states}, score: "1000", marked: "master",
	},
	"promote: own term of before it was off, the peer fenced": {
		action: "promote", status: closedNow, mark: "slave", node: gone,
		code: 1, score: "none", marked: "slave", reason: "may have been the master while this host was off",
	},
	"promote: own term of before it was off, and any loss": {
		action: "promote", status: closedNow, mark: "slave", node: gone, params: "any",
		calls: []string{promotes + states}, score: "1000", marked: "master",
	},
	"promote: both live": {
		action: "promote", status: slaveNow, mark: "slave", node: online,
		calls: []string{switches}, score: "1000", marked: "master",
	},
	"promote: the peer is fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		calls: []string{promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: the peer has left in order": {
		action: "promote", status: slaveNow, mark: "slave", node: gone,
		calls: []string{switches}, score: "1000", marked: "master",
	},
	"promote: the peer is not fenced yet": {
		action: "promote", status: lostNow, mark: "slave", node: unclean,
		code: 1, marked: "slave", reason: "unclean",
	},
	"promote: nobody fences": {
		action: "promote", status: lostNow, mark: "slave", node: gone, noFence: true,
		code: 1, marked: "slave", reason: "nobody has fenced it",
	},
	"promote: a node that nobody knows": {
		action: "promote", status: lostNow, mark: "slave",
		code: 1, marked: "slave", reason: "unknown",
	},
	"promote: gtunnel refuses": {
		action: "promote", status: lostNow, mark: "slave", node: gone, refuses: "promote",
		code: 1, calls: []string{promotes + states + loses}, marked: "master", reason: "refused",
	},
	"promote: the server does not answer": {
		action: "promote", mark: "slave", node: gone,
		code: 1, marked: "slave", reason: "no answer",
	},
}

// otherCases are those of the other actions.
var otherCases = map[string]agentCase{
	"demote: master": {
		action: "demote", status: masterNow, mark: "master",
		calls: []string{demotes}, marked: "slave",
	},
	"demote: the server does not answer": {
		action: "demote", mark: "master", refuses: "demote",
		code: 1, calls: []string{demotes}, marked: "master", reason: "refused",
	},
	"demote: not started": {action: "demote", status: slaveNow, code: 7},
	"stop: master": {
		action: "stop", status: masterNow, mark: "master",
		calls: []string{demotes}, score: "none",
	},
	"stop: master, which does not answer": {
		action: "stop", mark: "master", refuses: "demote",
		code: 1, calls: []string{demotes}, marked: "master", reason: "refused",
	},
	"stop: slave": {action: "stop", status: slaveNow, mark: "slave", score: "none"},
	"stop: slave that was opened by hand": {
		action: "stop", mark: "slave", seen: "open",
		calls: []string{demotes}, score: "none",
	},
	"stop: slave, which does not answer": {action: "stop", mark: "slave", score: "none"},
	"stop: not started": {
		action: "stop", seen: "closed", status: slaveNow,
		calls: []string{demotes}, score: "none",
	},
	"stop: not started, no server":    {action: "stop", score: "none"},
	"notify":                          {action: "notify"},
	"validate-all":                    {action: "validate-all"},
	"an action that it does not have": {action: "migrate_to", code: 3},
}
