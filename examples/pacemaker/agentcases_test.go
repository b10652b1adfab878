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
	timeout string // of the action, in milliseconds
	probe   bool
	seen    string  // what demote would find where status tells nothing: open, closed; empty: nothing
	later   *status // from the second time on that it is asked for
	refuses string  // what fails: one of gtunnel's commands, crm_mon, or a flag of crm_attribute

	record, peerRecord string // of the nodes; empty: none
	history            string // of fencings, by crm_mon

	code   int
	calls  []string // of gtunnel's commands but status, and what is recorded
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
	opened   = "record open"
	closed   = "record closed"
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
		action: "monitor", status: masterNow, mark: "master", record: "open",
		code: 8, score: "1000", marked: "master",
	},
	"monitor: a pair that serves": {
		action: "monitor", status: masterNow, probe: true,
		code: 8, calls: []string{opened}, score: "1000", marked: "master",
	},
	"monitor: a pair that serves, which cannot be recorded": {
		action: "monitor", status: masterNow, refuses: "--update",
		code: 9, reason: "cannot be set",
	},
	"monitor: a master, and more is known of its past": {
		action: "monitor", status: masterNow, mark: "master",
		record: "open" + wasBefore, history: fencing(server1, since),
		code: 8, calls: []string{opened + wasBefore + wasSince}, score: "1000", marked: "master",
	},
	"monitor: a master, and the cluster does not answer": {
		action: "monitor", status: masterNow, mark: "master", refuses: "crm_mon",
		code: 8, score: "1000", marked: "master",
	},
	"monitor: not started": {action: "monitor", status: slaveNow, code: 7},
	"monitor: a probe of a slave": {
		action: "monitor", status: slaveNow, probe: true,
		code: 7, calls: []string{closed},
	},
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
		action: "monitor", seen: "open", code: 8, calls: []string{opened}, marked: "master",
	},
	"monitor: switched over by hand, the old master": {
		action: "monitor", status: slaveNow, mark: "master", record: "open", probe: true,
		calls: []string{closed}, score: "100", marked: "slave",
	},
	"monitor: switched over by hand, the new one": {
		action: "monitor", status: masterNow, mark: "slave", record: "closed", probe: true,
		code: 8, calls: []string{opened}, score: "1000", marked: "master",
	},
	"monitor: opened by hand, by nobody's term": {
		action: "monitor", status: like(slaveNow, func(s *status) { s.state, s.writable = "writable-slave", true }),
		mark: "slave", record: "closed", probe: true,
		code: 1, calls: []string{opened}, score: "none", marked: "slave", reason: "can be written to",
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
		action: "monitor", mark: "master", seen: "open", record: "open",
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
	"monitor: the master's guard is dead": {
		action: "monitor", status: like(masterNow, func(s *status) { s.noGuard = true }), mark: "master", record: "open",
		code: 9, marked: "master", reason: "gtunnel-guard",
	},
	"monitor: the master's guard is started again": {
		action: "monitor", status: like(masterNow, func(s *status) { s.noGuard = true }), later: masterNow,
		mark: "master", record: "open",
		code: 8, score: "1000", marked: "master",
	},
	"monitor: the master's guard is started again, and closes": {
		action: "monitor", status: like(masterNow, func(s *status) { s.noGuard = true }), later: slaveNow,
		mark: "master", record: "open",
		code: 9, marked: "master", reason: "was promoted",
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
		calls: []string{demotes, closed}, score: "100", marked: "slave",
	},
	"start: master": {
		action: "start", status: closedNow, node: gone, served: true,
		calls: []string{demotes, closed}, score: "1000", marked: "slave",
	},
	"start: old master": {
		action: "start", status: oldNow, node: online,
		calls: []string{demotes, closed, rejoins}, score: "none", marked: "slave", reason: "does not follow",
	},
	"start: a rejoin that fails": {
		action: "start", status: oldNow, node: online, refuses: "rejoin",
		code: 1, calls: []string{demotes, closed, rejoins}, reason: "rejoin: refused",
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

// otherCases are those of the other actions.
var otherCases = map[string]agentCase{
	"demote: master": {
		action: "demote", status: masterNow, mark: "master",
		calls: []string{demotes, closed}, marked: "slave",
	},
	"demote: the server does not answer": {
		action: "demote", mark: "master", refuses: "demote",
		code: 1, calls: []string{demotes}, marked: "master", reason: "refused",
	},
	"demote: it cannot be recorded": {
		action: "demote", status: masterNow, mark: "master", record: "open", refuses: "--update",
		calls: []string{demotes}, marked: "slave",
	},
	"demote: with less time than is asked for": {
		action: "demote", status: masterNow, mark: "master", record: "open", timeout: "30000",
		calls: []string{"demote --cluster --yes --timeout 20s", closed}, marked: "slave",
	},
	"demote: with time enough": {
		action: "demote", status: masterNow, mark: "master", record: "open", timeout: "60000",
		calls: []string{demotes, closed}, marked: "slave",
	},
	"demote: not started": {action: "demote", status: slaveNow, code: 7},
	"stop: master": {
		action: "stop", status: masterNow, mark: "master",
		calls: []string{demotes, closed}, score: "none",
	},
	"stop: master, which does not answer": {
		action: "stop", mark: "master", refuses: "demote",
		code: 1, calls: []string{demotes}, marked: "master", reason: "refused",
	},
	"stop: slave": {action: "stop", seen: "closed", mark: "slave", calls: []string{closed}, score: "none"},
	"stop: slave, of which that is recorded": {
		action: "stop", seen: "closed", mark: "slave", record: "closed", score: "none",
	},
	"stop: slave that was opened by hand": {
		action: "stop", mark: "slave", seen: "open",
		calls: []string{demotes, closed}, score: "none",
	},
	"stop: slave, which does not answer": {action: "stop", mark: "slave", score: "none"},
	"stop: not started": {
		action: "stop", seen: "closed", status: slaveNow,
		calls: []string{demotes, closed}, score: "none",
	},
	"stop: not started, no server":    {action: "stop", score: "none"},
	"notify":                          {action: "notify"},
	"validate-all":                    {action: "validate-all"},
	"an action that it does not have": {action: "migrate_to", code: 3},
}
