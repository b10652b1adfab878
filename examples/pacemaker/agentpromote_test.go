package pacemaker_test

import (
	"fmt"
	"strings"
)

// fencing is what crm_mon has of one.
func fencing(target *host, completed string) string {
	return fmt.Sprintf(`<fence_event action="off" target=%q client="pacemaker-controld.77" `+
		`origin="server1.domain.one" status="success" delegate="server1.domain.one" completed=%q/>`+"\n",
		target.name, completed)
}

// Two fencings, and how they are recorded.
const (
	before, wasBefore = "2026-11-28 20:00:00Z", ",1795896000"
	since, wasSince   = "2026-11-28 21:46:40Z", ",1795902400"
)

// promoteCases are whom it may take for fenced, and whom not.
var promoteCases = map[string]agentCase{
	"promote: own term": {
		action: "promote", status: closedNow, mark: "slave", node: online,
		calls: []string{opened, promotes}, score: "1000", marked: "master",
	},
	"promote: own term, the peer fenced": {
		action: "promote", status: closedNow, mark: "slave", node: gone, peerRecord: "closed", served: true,
		calls: []string{opened, promotes + states}, score: "1000", marked: "master",
	},
	"promote: own term of before it was off, the peer fenced": {
		action: "promote", status: closedNow, mark: "slave", node: gone, peerRecord: "closed",
		code: 1, score: "none", marked: "slave", reason: "may have been the master while this host was off",
	},
	"promote: own term of before it was off, and any loss": {
		action: "promote", status: closedNow, mark: "slave", node: gone, peerRecord: "closed", params: "any",
		calls: []string{opened, promotes + states}, score: "1000", marked: "master",
	},
	"promote: both live": {
		action: "promote", status: slaveNow, mark: "slave", node: online,
		calls: []string{opened, switches}, score: "1000", marked: "master",
	},
	"promote: the peer is fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "closed",
		calls: []string{opened, promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: the peer has left in order": {
		action: "promote", status: slaveNow, mark: "slave", node: gone, peerRecord: "closed",
		calls: []string{opened, switches}, score: "1000", marked: "master",
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
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "closed", refuses: "promote",
		code: 1, calls: []string{opened, promotes + states + loses}, marked: "master", reason: "refused",
	},
	"promote: the server does not answer": {
		action: "promote", mark: "slave", node: gone, peerRecord: "closed",
		code: 1, marked: "slave", reason: "no answer",
	},
}

// goneCases are whom promote may take for closed, of those whose nodes are not online.
var goneCases = map[string]agentCase{
	"promote: it was fenced since it was opened": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "open", history: fencing(server2, since),
		calls: []string{opened, promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: it was fenced before, and again": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		peerRecord: "open" + wasBefore, history: fencing(server2, since) + fencing(server2, before),
		calls: []string{opened, promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: it was fenced again, and the clock was set back": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		peerRecord: "open" + wasSince, history: fencing(server2, since) + fencing(server2, before),
		calls: []string{opened, promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: Pacemaker has left it open": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "open",
		code: 1, marked: "slave", reason: "may be open: start Pacemaker on it, or stonith_admin --fence " + server2.name,
	},
	"promote: it was opened after it was fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		peerRecord: "open" + wasBefore + wasSince, history: fencing(server2, since) + fencing(server2, before),
		code: 1, marked: "slave", reason: "may be open",
	},
	"promote: it was opened after it was fenced, by another clock": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		peerRecord: "open" + wasSince, history: fencing(server2, "2026-11-28 21:46:38Z"),
		code: 1, marked: "slave", reason: "may be open",
	},
	"promote: its fencing has failed": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "open",
		history: strings.Replace(fencing(server2, since), "success", "failed", 1),
		code:    1, marked: "slave", reason: "may be open",
	},
	"promote: it was switched on": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "open",
		history: strings.Replace(fencing(server2, since), `"off"`, `"on"`, 1),
		code:    1, marked: "slave", reason: "may be open",
	},
	"promote: another was fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "open",
		history: fencing(server1, since),
		code:    1, marked: "slave", reason: "may be open",
	},
	"promote: nothing is recorded, and it was fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone, history: fencing(server2, since),
		calls: []string{opened, promotes + states + loses}, score: "1000", marked: "master",
	},
	"promote: nothing is recorded, and it was not fenced": {
		action: "promote", status: lostNow, mark: "slave", node: gone,
		code: 1, marked: "slave", reason: "may be open",
	},
	"promote: its record cannot be read": {
		action: "promote", status: lostNow, mark: "slave", node: gone, peerRecord: "closed", refuses: "--query",
		code: 1, marked: "slave", reason: "cannot be read",
	},
	"promote: it is left open, and hands over": {
		action: "promote", status: slaveNow, mark: "slave", node: gone, peerRecord: "open",
		calls: []string{opened, switches}, score: "1000", marked: "master",
	},
	"promote: all fencings of this host were before": {
		action: "promote", status: slaveNow, mark: "slave", node: online, record: "closed",
		history: fencing(server1, before) + fencing(server2, since) + fencing(server1, since),
		calls:   []string{opened + wasBefore + wasSince, switches}, score: "1000", marked: "master",
	},
	"promote: it cannot be recorded": {
		action: "promote", status: slaveNow, mark: "slave", node: online, refuses: "--update",
		code: 1, marked: "slave", reason: "cannot be set",
	},
	"promote: the fencings are not known": {
		action: "promote", status: slaveNow, mark: "slave", node: online, history: `<fence_history status="102"/>`,
		code: 1, marked: "slave", reason: "cannot be set",
	},
}
