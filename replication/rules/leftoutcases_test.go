package rules_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// onSlave makes a case of a slave that follows its master.
func onSlave(want, words string, at rules.Moment, change func(*rules.Subject, *server.SlaveStatus)) ruleCase {
	return ruleCase{
		want: want, at: at, words: words,
		change: func(s *rules.Subject) { change(s, follows(s)) },
	}
}

// filtered makes a case of a filter of the slave's.
func filtered(want, words, filter string) ruleCase {
	return onSlave(want, words, ofSlave|rules.Status, func(_ *rules.Subject, c *server.SlaveStatus) {
		c.OtherFilters = []string{filter}
	})
}

// leftOutCases are about what keeps changes from the slave: the same at every
// moment.
var leftOutCases = []ruleCase{
	filtered("problem other-filters slave", "leaves out changes of voms|SET GLOBAL replicate_do_db=''|option files",
		"replicate_do_db=a"),
	filtered("problem other-filters slave", "leaves out changes of voms", "replicate_ignore_db=a,VOMS"),
	filtered("problem other-filters slave", "in another: voms", "replicate_rewrite_db=a->b,voms->c"),
	filtered("problem other-filters slave", "in another: voms", "replicate_rewrite_db=(a,voms),(c,d)"),
	filtered("problem other-filters slave", "IGNORE_SERVER_IDS=(1)|CHANGE MASTER TO IGNORE_SERVER_IDS=(), "+
		"DO_DOMAIN_IDS=(), IGNORE_DOMAIN_IDS=(); START SLAVE; then see what differs: gtunnel replication compare",
		"replicate_ignore_server_ids=1"),
	filtered("problem other-filters slave", "DO_DOMAIN_IDS=(5)", "replicate_do_domain_ids=5"),
	filtered("problem other-filters slave", "IGNORE_DOMAIN_IDS=(0)", "replicate_ignore_domain_ids=0"),
	onSlave("problem other-filters slave",
		"STOP REPLICA FOR CHANNEL ''; CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=() "+
			"FOR CHANNEL ''; START REPLICA FOR CHANNEL ''", ofSlave|rules.Status,
		func(s *rules.Subject, c *server.SlaveStatus) {
			ofMySQL(s)
			c.OtherFilters = []string{"replicate_ignore_server_ids=1"}
		}),
	onSlave("problem other-filters slave", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(); START",
		ofSlave|rules.Status, func(s *rules.Subject, c *server.SlaveStatus) {
			ofMySQL(s)
			c.OtherFilters = []string{"replicate_ignore_db=voms"}
		}),
	onSlave("problem other-filters slave", "replicate_ignore_table): voms.t|--repair-table TABLE", ofSlave|rules.Status,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.IgnoreTable = []string{"voms.t", "other.t"} }),
	onSlave("problem other-filters slave", "whose session has set skip_replication|=REPLICATE;", ofSlave|rules.Status,
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Variables["replicate_events_marked_for_skip"] = "FILTER_ON_MASTER"
		}),
	{
		want: "problem other-filters slave", words: "replicate_do_table=voms.t leaves out changes of voms", at: rules.Status,
		change: func(s *rules.Subject) {
			c := s.Connection()
			c.WildDoTable, c.OtherFilters = nil, []string{"replicate_do_table=voms.t"}
		},
	},
	{
		want: "problem other-filters slave", words: "(replicate_wild_ignore_table): voms.u%", at: rules.Status,
		change: func(s *rules.Subject) {
			c := s.Connection()
			c.WildDoTable, c.WildIgnoreTable = nil, []string{"voms.u%", "other.%"}
		},
		also: "problem no-filter slave",
	},
	{
		want: "problem other-filters slave", words: "replicate_ignore_db=voms leaves out|restart it", at: ofSlave,
		change: func(s *rules.Subject) {
			s.Slave.Filters = &server.SlaveStatus{OtherFilters: []string{"replicate_ignore_db=voms"}}
		},
	},
	filtered("warning database-filter slave", "replicate_do_db=voms,a silently loses", "replicate_do_db=voms,a"),
	filtered("warning database-filter slave", "replicate_ignore_db=a silently loses", "replicate_ignore_db=a"),
	onSlave("warning ignored-tables slave", "are left out (replicate_wild_ignore_table): voms.u%", ofSlave|rules.Status,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.WildIgnoreTable = []string{"voms.u%", "other.%"} }),
	onSlave("problem no-filter slave", "every database", rules.CheckServer|rules.Status,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.WildDoTable = nil }),
	onSlave("warning no-filter slave", "every database", rules.SetupSlave,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.WildDoTable = nil }),
	onSlave("problem other-databases slave", "voms.a%, and leaves out what was set up to be replicated: voms",
		rules.Status,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.WildDoTable = []string{"voms.a%"} }),
	onSlave("problem skips-events slave", "the next 2 events|sql_slave_skip_counter=0", ofSlave|rules.Status,
		func(_ *rules.Subject, c *server.SlaveStatus) { c.SkipCounter = 2 }),
	onSlave("warning lossy-conversions slave", "slave_type_conversions='', and", ofSlave|rules.Status,
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Variables["slave_type_conversions"] = "ALL_LOSSY,ALL_NON_LOSSY"
		}),
	onSlave("problem slave-error slave", "error 4711", rules.CheckServer, func(_ *rules.Subject, c *server.SlaveStatus) {
		c.SQLRunning, c.SQLErrno = "No", 4711
	}),
	onSlave("problem slave-error slave", "error 4712", rules.CheckServer, func(_ *rules.Subject, c *server.SlaveStatus) {
		c.IORunning, c.IOErrno = "No", 4712
	}),
	onSlave("warning writable slave", "not read-only", rules.CheckServer, func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Slave.Variables["read_only"] = "OFF"
	}),
	{
		want: "warning binlog-filter master", at: ofPair | rules.Status | rules.StatusMaster,
		words:  "binlog-ignore-db loses statements",
		change: func(s *rules.Subject) { s.Master.BinlogNot = []string{"other"} },
	},
}

// harmless are filters that leave out nothing but databases that are not ours.
var harmless = []server.SlaveStatus{
	{IgnoreTable: []string{"other.t", "vomsother.t"}},
	{WildIgnoreTable: []string{"other.%"}},
	{OtherFilters: []string{"replicate_do_table=other.t"}},
	{OtherFilters: []string{"replicate_rewrite_db=a->b"}},
}

// TestHarmlessFilters: of these nobody says anything.
func TestHarmlessFilters(t *testing.T) {
	for i := range harmless {
		for _, moment := range []rules.Moment{rules.CheckServer, rules.SetupSlave, rules.Status} {
			s := wellSubject(moment, finding.Slave)
			c := follows(s)
			c.IgnoreTable, c.WildIgnoreTable = harmless[i].IgnoreTable, harmless[i].WildIgnoreTable
			c.OtherFilters = harmless[i].OtherFilters
			if found := codesOf(rules.Judge(s)); len(found) > 0 {
				t.Errorf("%s of %+v: %q", moment, c.OtherFilters, found)
			}
		}
	}
}

// TestLostFilterComesFirst: a lost filter lets through what fails then.
func TestLostFilterComesFirst(t *testing.T) {
	s := wellSubject(rules.Status, finding.Slave)
	c := s.Connection()
	c.WildDoTable, c.SQLRunning, c.SQLErrno = nil, "No", 1146
	c.SQLError = "Error executing row event: 'Table 'iam.t' doesn't exist'"
	found := rules.Judge(s).Problems
	if len(found) != 2 || found[0].Code != "no-filter" ||
		!strings.Contains(found[1].Cure, "once the filter is there again") {
		t.Errorf("%+v", found)
	}
}
