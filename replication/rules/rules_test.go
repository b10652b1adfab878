package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Judge asks nobody: facts go in, findings come out.
func ExampleJudge() {
	for _, moment := range []rules.Moment{rules.CheckServer, rules.Status} {
		subject := wellSubject(moment, finding.Slave)
		subject.Slave.Variables["slave_exec_mode"] = "IDEMPOTENT"
		for _, p := range rules.Judge(subject).Problems {
			fmt.Printf("%s: %s, about the %s\n", moment, p.Code, p.On)
		}
	}
	// Output:
	// check: skips-errors, about the slave
	// status: skips-errors, about the slave
}

// A rule is data: when it holds is read off the table.
func ExampleTable() {
	for _, r := range rules.Table() {
		if r.Code == "data-on-slave" {
			fmt.Printf("%s, about the %s\nproblem: %s\nwarning: %s\ncure: %s\n", r.Meaning, r.On, r.Problem, r.Warning, r.Cure)
		}
	}
	// Output:
	// the slave has databases already that the copy would replace, about the slave
	// problem: setup-slave
	// warning: check
	// cure: back them up; to have them overwritten: --replace-databases
}

// Codes are those of the rules and all others.
func ExampleCodes() {
	for _, c := range rules.Codes() {
		if c.Code == "one-database" || c.Code == "repair-cut-off" {
			fmt.Printf("%s (%s)\n", c.Code, c.At)
		}
	}
	// Output:
	// one-database (repair)
	// repair-cut-off (setup-slave, status, repair)
}

// moments are all of which a subject can be.
var moments = []rules.Moment{
	rules.CheckServer, rules.CheckPair, rules.SetupMaster, rules.SetupSlave, rules.Begin, rules.Status,
	rules.Repair, rules.RepairRows, rules.StatusMaster, rules.CheckPromote, rules.CheckSwitchover, rules.CheckRejoin,
	rules.CheckVOMS,
}

var (
	maria = server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}
	mysql = server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}
)

// wellServer is a server with which nothing is wrong.
func wellServer(role finding.Role) *facts.Facts {
	f := &facts.Facts{
		Role: role, Version: maria, User: "root@localhost",
		Grants: []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"},
		Variables: map[string]string{
			"server_id": map[finding.Role]string{finding.Master: "1", finding.Slave: "2"}[role], "port": "3306",
			"log_bin": "ON", "log_slave_updates": "ON", "binlog_format": "ROW", "lower_case_table_names": "0",
			"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1", "collation_server": "utf8mb4_general_ci",
			"time_zone": "SYSTEM", "system_time_zone": "UTC", "slave_net_timeout": "60",
			"read_only": map[finding.Role]string{finding.Master: "OFF", finding.Slave: "ON"}[role],
			"datadir":   "/var/lib/mysql/", "event_scheduler": "ON",
		},
		Collations: map[string]bool{"utf8mb4_general_ci": true, "latin1_swedish_ci": true},
		BinaryLogs: []server.BinaryLog{{File: "bin.000007", Bytes: 5000}},
	}
	if role == finding.Master {
		f.Databases = []facts.Database{{Name: "voms", Tables: 20, Bytes: 1 << 30, Collations: []string{"latin1_swedish_ci"}}}
	}
	return f
}

// wellSubject is one of which no rule has anything to say; of a check of one
// server, that of a role.
func wellSubject(moment rules.Moment, role finding.Role) *rules.Subject {
	s := &rules.Subject{Moment: moment, Port: 3307, Databases: []string{"voms"}}
	switch moment {
	case rules.CheckServer:
		if role == finding.Master {
			s.Master = wellServer(role)
		} else {
			s.Slave = wellServer(role)
		}
	case rules.SetupMaster, rules.StatusMaster:
		s.Master = wellServer(finding.Master)
		s.Master.Followers = []facts.Follower{{Connection: 7, User: facts.ReplicationUser, Host: server.Loopback}}
	case rules.Status:
		s.Master, s.Slave = wellServer(finding.Master), wellServer(finding.Slave)
		follows(s)
		none := new(uint64)
		s.Seen = rules.Seen{Asked: true, MasterID: 1, SameMaster: true, Bytes: none, Unread: none}
	case rules.CheckPromote, rules.CheckSwitchover, rules.CheckRejoin:
		s.Ready = wellReady()
	case rules.CheckVOMS:
		s.VOMS = wellVOMS()
	case rules.Repair, rules.RepairRows:
		s.Master, s.Slave = wellServer(finding.Master), wellServer(finding.Slave)
		follows(s)
		s.Tables = []string{"voms.users", "voms.roles"}
	default:
		s.Master, s.Slave = wellServer(finding.Master), wellServer(finding.Slave)
		s.Method = journal.SeedDump
		s.HandOver = &rules.HandOver{ServerID: 1, Databases: []string{"voms"}, Password: true}
	}
	return s
}

// follows makes a subject's slave one that follows its master, as a setup has
// left it.
func follows(s *rules.Subject) *server.SlaveStatus {
	c := &server.SlaveStatus{
		MasterHost: server.Loopback, MasterPort: 3307, MasterUser: facts.ReplicationUser, MasterID: 1,
		IORunning: "Yes", SQLRunning: "Yes", WildDoTable: []string{"voms.%"}, ByGTID: true,
		Read: server.Position{File: "bin.000007", Offset: 5000}, Executed: server.Position{File: "bin.000007", Offset: 5000},
	}
	s.Slave.Masters = []*server.SlaveStatus{c}
	return c
}

// ofMySQL makes all servers of a subject MySQL's.
func ofMySQL(s *rules.Subject) {
	for i, f := range []*facts.Facts{s.Master, s.Slave} {
		if f != nil {
			f.Version = mysql
			f.Variables["super_read_only"] = map[bool]string{true: "ON", false: "OFF"}[f.Role == finding.Slave]
			f.Variables["server_uuid"] = fmt.Sprintf("11111111-0000-0000-0000-00000000000%d", i)
		}
	}
	if s.HandOver != nil {
		s.HandOver.UUID = s.Master.UUID()
	}
}

// TestNothingIsWrong: no rule has anything to say of what is as it should be, on
// either family, before and after a setup.
func TestNothingIsWrong(t *testing.T) {
	for _, moment := range moments {
		for _, role := range []finding.Role{finding.Master, finding.Slave} {
			for name, change := range map[string]func(*rules.Subject){
				"MariaDB": func(*rules.Subject) {},
				"MySQL":   ofMySQL,
				"set up": func(s *rules.Subject) {
					if s.Slave != nil {
						follows(s)
					}
				},
			} {
				s := wellSubject(moment, role)
				if change(s); moment == rules.Status && s.Health() != rules.HealthOK {
					t.Errorf("%s: it is %s", name, s.Health())
				}
				if found := codesOf(rules.Judge(s)); len(found) > 0 {
					t.Errorf("%s of the %s on %s: %q", moment, role, name, found)
				}
			}
		}
	}
}

// TestNothingIsKnown: no rule says anything of what is not known, or fails.
func TestNothingIsKnown(t *testing.T) {
	for _, moment := range moments {
		if found := codesOf(rules.Judge(&rules.Subject{Moment: moment})); len(found) > 0 {
			t.Errorf("%s: %q", moment, found)
		}
	}
}

// codesOf are the codes of findings with their levels, and whom they are about.
func codesOf(found finding.Findings) []string {
	var codes []string
	for _, p := range found.Problems {
		codes = append(codes, strings.TrimSpace("problem "+p.Code+" "+string(p.On)))
	}
	for _, p := range found.Warnings {
		codes = append(codes, strings.TrimSpace("warning "+p.Code+" "+string(p.On)))
	}
	return codes
}

// ruleCase is a change of what is well, by which one rule has something to say.
type ruleCase struct {
	want   string // as codesOf has it
	at     rules.Moment
	change func(*rules.Subject)
	words  string // in the text and the cure, separated by |
	also   string // what other rules say, separated by |
}

// TestRules changes one thing after the other, and looks what is found. Each rule
// of the table finds something at each of its moments.
func TestRules(t *testing.T) {
	fired := map[string]bool{}
	cases := slices.Concat(serverCases, leftOutCases, statusCases, masterCases, pairCases, setupCases, repairCases,
		settingsCases, relayLogCases, keptLogCases, crashCases, momentCases, chainCases, pairSetupCases, readyCases,
		pairStatusCases, alikeCases, vomsCases, vomsHostCases(), outsideCases)
	for i, c := range cases {
		for _, moment := range moments {
			if c.at&moment == 0 {
				continue
			}
			_, role, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(c.want, "problem "), "warning "), " ")
			s := wellSubject(moment, finding.Role(role))
			c.change(s)
			found := rules.Judge(s)
			var want []string
			if c.also != "" {
				want = strings.Split(c.also, "|")
			}
			want = append(want, c.want)
			got := codesOf(found)
			slices.Sort(want)
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("case %d, %s: found %q, want %q", i, moment, got, want)
			}
			text := ""
			for _, p := range slices.Concat(found.Problems, found.Warnings) {
				text += p.Error() + "\n" + p.Cure + "\n"
			}
			for word := range strings.SplitSeq(c.words, "|") {
				if !strings.Contains(text, word) {
					t.Errorf("case %d, %s of %s: no %q in %s", i, moment, c.want, word, text)
				}
			}
			fired[fmt.Sprint(moment.String(), " ", uint(moment), c.want)] = true
		}
	}
	for _, r := range rules.Table() {
		for _, moment := range moments {
			for level, at := range map[string]rules.Moment{"problem": r.Problem, "warning": r.Warning} {
				want := strings.TrimSpace(level + " " + r.Code + " " + string(r.On))
				if at&moment != 0 && !fired[fmt.Sprint(moment.String(), " ", uint(moment), want)] {
					t.Errorf("no case at %s (%d) of the rule %q", moment, moment, want)
				}
			}
		}
	}
}

// TestTable: each rule is whole, and no judgement is a problem and a warning at
// the same moment.
func TestTable(t *testing.T) {
	for _, r := range rules.Table() {
		if r.Problem|r.Warning == 0 || r.Problem&r.Warning != 0 {
			t.Errorf("%s is a problem at %s, and a warning at %s", r.Code, r.Problem, r.Warning)
		}
	}
}
