package rules_test

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// alikeCases are about what both hosts of a pair must have alike.
var alikeCases = []ruleCase{
	alike("warning sequences-differ", two+" lacks the sequence voms.s|on "+two+", in one session: SET SESSION "+
		"sql_log_bin=0; CREATE SEQUENCE `voms`.`s` MAXVALUE 9; DO SETVAL(`voms`.`s`, 5, 0, 0)",
		func(_, slave *facts.Alike) { delete(slave.Sequences, "voms.s") }),
	alike("warning sequences-differ", "counts otherwise on "+two+": MAXVALUE 7, and on the master MAXVALUE 9|ALTER",
		func(_, slave *facts.Alike) {
			slave.Sequences["voms.s"] = facts.Sequence{Options: "MAXVALUE 7", Next: "5"}
		}),
	alike("warning sequences-differ", "stands at 4 on "+two+", and at 5 on the master|DO SETVAL(`voms`.`s`, 5, 0, 0)",
		func(_, slave *facts.Alike) {
			slave.Sequences["voms.s"] = facts.Sequence{Options: "MAXVALUE 9", Next: "4"}
		}),
	alike("warning sequences-differ", "only "+two+", the slave, has the sequence voms.s|DROP SEQUENCE",
		func(master, _ *facts.Alike) { delete(master.Sequences, "voms.s") }),
	alike("warning events-differ", two+" lacks the event voms.e|on "+one+": SHOW CREATE EVENT `voms`.`e`; DROP EVENT IF",
		func(_, slave *facts.Alike) { delete(slave.Events, "voms.e") }),
	alike("warning events-differ", two+" has another event voms.e than the master",
		func(_, slave *facts.Alike) { slave.Events["voms.e"] = "2" }),
	alike("warning events-differ", "only "+two+", the slave, has the event voms.e|on "+one+": DROP EVENT IF EXISTS",
		func(master, _ *facts.Alike) { delete(master.Events, "voms.e") }),
}

// alike changes what a pair, whose slave is asked, has alike.
func alike(want, words string, change func(master, slave *facts.Alike)) ruleCase {
	return ready(want, promote|swap, words, func(r *rules.Ready) {
		for _, h := range []*rules.PairHost{&r.Own, &r.Peer} {
			h.Alike = &facts.Alike{
				Sequences: map[string]facts.Sequence{"voms.s": {Options: "MAXVALUE 9", Next: "5"}},
				Events:    map[string]string{"voms.e": "1"},
			}
		}
		change(r.Peer.Alike, r.Own.Alike)
	})
}
