package simulation

// survivors are the mutants that no invariant notices, with the reason; with the family before
// the name if it is so on that one alone.
func survivors() map[string]string {
	all := map[string]string{}
	for _, group := range [][]string{order, byOthers, onlyAsked, leftOutOfModel} {
		for i := 0; i < len(group); i += 2 {
			all[group[i]] = group[i+1]
		}
	}
	for _, name := range repeated {
		all[name+" "+twice] = "doing it again changes nothing: a run that was cut off is gone on with by the next"
	}
	return all
}

// repeated can be done again.
var repeated = []string{
	"switchover: keep-up", "statement: SELECT RELEASE_LOCK('gtunnel.guard')", "statement: SET GLOBAL sync_relay_log=0",
	"statement: SET GLOBAL sync_relay_log=1",
	"statement: FLUSH NO_WRITE_TO_BINLOG RELAY LOGS FOR CHANNEL ''",
	"switchover: request", "switchover: demotion", "switchover: apply", "switchover: stop-slave",
	"switchover: publish",
	"switchover: forget-master", "switchover: open", "switchover: follow",
	"promote: begin", "promote: stop-receiving", "promote: apply", "promote: stop-applying", "promote: ask-again",
	"promote: forget", "promote: keep-logs", "promote: open", "promote: verify", "promote: keep-relay-log",
	"promote: follow-by-gtid", "promote: start-applying",
	"rejoin: read-only", "rejoin: take-term", "rejoin: save-errant", "rejoin: judge", "rejoin: change-master",
	"rejoin: filter", "rejoin: start-slave", "rejoin: catch-up", "rejoin: compare", "rejoin: copy",
	"rejoin: note-joined", "demote: stop-events", "demote: read-only", "demote: verify",
	"act: publish", "act: close", "act: open", "act: start-slave", "act: demote", "act: adopt",
	"act: follow", "act: heard",
	"statement: SELECT GET_LOCK('gtunnel.guard', 0)", "statement: SELECT GET_LOCK('gtunnel.demoted.<>', 0)",
	"statement: REPLACE INTO `gtunnel`.`pair` (id, record)", "statement: SET GLOBAL read_only=0",
	"statement: SET GLOBAL read_only=1", "statement: SET GLOBAL super_read_only=0",
	"statement: SET GLOBAL super_read_only=1",
	"statement: SET GLOBAL super_read_only=@@GLOBAL.read_only",
	"statement: START SLAVE", "statement: START REPLICA FOR CHANNEL ''", "statement: SET GLOBAL event_scheduler=OFF",
	"statement: SET GLOBAL event_scheduler=ON", "statement: FLUSH TABLES WITH READ LOCK", "statement: XA RECOVER",
	"statement: SET GLOBAL gtid_slave_pos", "statement: CHANGE MASTER", "statement: CHANGE REPLICATION SOURCE",
	"statement: SET GLOBAL replicate_wild_do_table",
	"statement: CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=('t.%') FOR CHANNEL ''",
	"statement: SET GLOBAL binlog_expire_logs_seconds=2592000", "statement: BEGIN", "statement: COMMIT",
}

// order is where two steps may change places.
var order = []string{
	"switchover: keep-up after the next", "clients wait for longer, and nothing else: TestSwitchoverKeepsUp",
	"statement: SELECT RELEASE_LOCK('gtunnel.guard') after the next", "the session that has it ends a moment later",
	"statement: SET GLOBAL sync_relay_log=0 after the next", "it concerns what is received from then on",
	"statement: SET GLOBAL sync_relay_log=1 after the next",
	"what was received is not on the disk for some seconds more: a loss of power in them, which these runs have not",
	"statement: FLUSH NO_WRITE_TO_BINLOG RELAY LOGS FOR CHANNEL '' after the next", "as SET GLOBAL sync_relay_log=1",
	"switchover: stop-slave after the next",
	"all is applied, and the demoted master writes nothing: nothing comes meanwhile",
	"switchover: publish after the next", "the connection is of no use once the term is raised",
	"switchover: forget-master after the next",
	"the opening of the server forgets the connection first, if it is there",
	"switchover: open after the next", "costs time, nothing else: the guard opens the server meanwhile",
	"promote: begin after the next",
	"the I/O thread stands; without a request the guard starts it when the master answers",
	"promote: stop-receiving after the next",
	"the master is silent: nothing comes that would not be applied; and see ask-again",
	"promote: stop-applying after the next",
	"all is applied, and nothing is received: the threads have nothing to do",
	"promote: forget after the next", "either is done before the server is opened",
	"promote: keep-logs after the next", "the opening of the server keeps the logs first",
	"promote: follow-by-gtid after the next",
	"it is for a promotion that ask-again refuses; the guard does it as well",
	"rejoin: change-master after the next", "a filter can be set before the connection",
	"MySQL rejoin: take-term after the next", "the connection comes next: both come before the start of the slave",
	"MariaDB rejoin: save-errant after the next",
	"a new copy leaves MariaDB's binary log; on MySQL the fault is found",
	"MySQL rejoin: save-errant after the next", "judge comes next, which takes nothing away",
	"rejoin: judge after the next",
	"the new copy comes next, from a peer that goes on beyond the GTIDs a moment later",
	"rejoin: copy after the next",
	"a copy that is cut off is begun again all the same; the peer keeps its log less long",
	"rejoin: compare after the next",
	"the comparison fails the command all the same; the peer keeps its log less long",
	"demote: stop-events after the next",
	"both come before it is said to be done; a switchover demotes the server once more",
	"act: publish after the next", "it is done within the same look",
	"act: close after the next", "it is done within the same look",
	"statement: SET GLOBAL read_only=1 after the next",
	"the read lock keeps clients out as well, and both come before the position",
	"statement: SET GLOBAL super_read_only=1 after the next", "it is a question that comes next",
	"statement: SET GLOBAL event_scheduler=OFF after the next", "both come before the position is read",
	"statement: FLUSH TABLES WITH READ LOCK after the next", "it is a question that comes next",
	"statement: SET GLOBAL read_only=0 after the next", "what comes next is of the note's row or of events",
	"statement: SET GLOBAL super_read_only=0 after the next",
	"the row is refused, and written at the next look",
	"statement: SET GLOBAL gtid_slave_pos after the next", "both come before the start of the slave",
	"statement: CHANGE MASTER after the next", "both come before the start of the slave",
	"statement: CHANGE REPLICATION SOURCE after the next", "both come before the start of the slave",
}

// byOthers is what somebody else does as well, on purpose.
var byOthers = []string{
	"switchover: keep-up left out", "clients wait for longer, and nothing else: TestSwitchoverKeepsUp",
	"statement: SELECT RELEASE_LOCK('gtunnel.guard') left out", "the end of the session gives it back",
	"statement: FLUSH NO_WRITE_TO_BINLOG RELAY LOGS FOR CHANNEL '' left out",
	"only a loss of power while the master is silent would tell, which these runs have not: TestRelayLogOnDisk",
	"switchover: publish left out", "the opening of the server publishes the row if it is old, and so does the guard",
	"switchover: raise after the next", "as publish left out: the row that is published is the one before",
	"switchover: forget-master left out", "the opening of the server forgets the connection, if it is there",
	"promote: raise after the next", "noticed by a kill between the two, in a run with that crash",
	"statement: SET GLOBAL super_read_only=@@GLOBAL.read_only left out",
	"the guard closes what is not super_read_only at each look",
	"statement: SET GLOBAL super_read_only=@@GLOBAL.read_only after the next", "as left out",
	"promote: stop-receiving left out", "the master is silent; if it comes back, ask-again refuses the promotion",
	"promote: stop-applying left out",
	"the step forget stops the slave as well; it lets the guard end a promotion that was killed",
	"promote: forget left out", "the opening of the server forgets the connection, if it is there",
	"promote: keep-logs left out", "the opening of the server keeps the logs first; as a step it is shown",
	"promote: follow-by-gtid left out",
	"the guard does it before it starts the slave again; else the connection is forgotten",
	"rejoin: read-only left out", "the guard closes the server at each look",
	"rejoin: read-only after the next", "the guard closes the server at each look",
}

// onlyAsked are steps that change nothing, and find what the others have not done.
var onlyAsked = []string{
	"promote: verify left out", "it finds what the steps before it have not done: they have",
	"demote: verify left out", "it finds what the steps before it have not done: they have",
}

// leftOutOfModel is what the model has no part of, with the test on real servers that does.
var leftOutOfModel = []string{
	"rejoin: filter left out", "no filters in the model: TestRejoinByHistory",
	"statement: SET GLOBAL replicate_wild_do_table left out", "no filters in the model: TestGuardDemotes",
	"statement: SET GLOBAL replicate_wild_do_table after the next", "as left out: its error, late, is nobody's",
	"statement: CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=('t.%') FOR CHANNEL '' left out",
	"no filters in the model; MySQL makes a channel anew with that of the option file, which every ready pair has",
	"statement: CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=('t.%') FOR CHANNEL '' after the next",
	"as left out: its error, late, is nobody's",
	"rejoin: judge left out",
	"a new copy of the model is a clone, which takes the GTIDs away as well: TestRejoinOthers",
	"statement: BEGIN left out", "to the model it is a statement without effect: TestRejoinOthers",
	"statement: BEGIN after the next", "to the model it is a statement without effect: TestRejoinOthers",
}
