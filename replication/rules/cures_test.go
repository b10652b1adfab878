package rules_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// version is one of a server, and what that does not know.
type version struct {
	server.Version
	wrong *regexp.Regexp
	never []string // codes of what no such server says
}

// spoken are versions of servers whose words differ.
var spoken = []version{
	{server.Version{Family: server.MariaDB, Major: 10, Minor: 0, Patch: 38}, ofMariaDB10, codesOfMySQL},
	{server.Version{Family: server.MariaDB, Major: 10, Minor: 5, Patch: 23}, ofMariaDB105, codesOfMySQL},
	{server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}, ofMariaDB, codesOfMySQL},
	{server.Version{Family: server.MariaDB, Major: 11, Minor: 8, Patch: 6}, ofMariaDB, codesOfMySQL},
	{server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42}, ofMySQL57, codesOfMariaDB},
	{server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 22}, ofMySQL80, codesOfMariaDB},
	{server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}, ofMySQL8, codesOfMariaDB},
	{server.Version{Family: server.MySQL, Major: 8, Minor: 4, Patch: 13}, ofMySQL84, codesOfMariaDB},
	{server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 4}, ofMySQL84, codesOfMariaDB},
}

// What versions do not know.
const (
	newWords  = `\bREPLICA\b|SOURCE_[A-Z]|REPLICATION SOURCE|RESET BINARY|BINARY LOG STATUS|host_cache`
	oldWords  = `\b(START|STOP|RESET|SHOW) SLAVE\b|CHANGE MASTER|MASTER_[A-Z]|FLUSH HOSTS`
	ofOthers  = `\((MariaDB|MySQL): `
	mysqlOnly = `super_read_only|PERSIST|gtid_mode|auto\.cnf|gtid_purged`
	mariaOnly = `INSTALL SONAME|gtid_slave_pos|gtid_strict_mode|ALL SLAVES`
	seconds   = `binlog_expire_logs_seconds`
)

var (
	ofMariaDB10  = regexp.MustCompile(ofMariaDB105.String() + "|ALTER USER|CREATE USER and")
	ofMariaDB105 = regexp.MustCompile(ofOthers + "|" + newWords + "|" + mysqlOnly + "|" + seconds)
	ofMariaDB    = regexp.MustCompile(ofOthers + "|" + newWords + "|" + mysqlOnly)
	ofMySQL57    = regexp.MustCompile(ofOthers + "|" + newWords + "|" + mariaOnly + "|" + seconds + "|PERSIST")
	ofMySQL80    = regexp.MustCompile(ofOthers + "|" + newWords + "|" + mariaOnly)
	ofMySQL8     = regexp.MustCompile(ofOthers + "|" + oldWords + "|" + mariaOnly + "|BINARY LOG STATUS|RESET BINARY")
	ofMySQL84    = regexp.MustCompile(ofOthers + "|" + oldWords + "|" + mariaOnly + "|RESET MASTER|MASTER STATUS")

	codesOfMySQL   = []string{"gtid-mode", "gtids-ahead", "own-gtids", "same-uuid", "password-policy", "public-key"}
	codesOfMariaDB = []string{"gtid-order"}
)

// TestCuresInWords goes through all that rules find, of servers of each version, and
// all causes of errors: no cure has a word that the server does not know, or one that
// nobody has filled in.
func TestCuresInWords(t *testing.T) {
	names := regexp.MustCompile(`\b` + finding.Names + `\b`)
	for _, v := range spoken {
		said := func(p *finding.Problem) {
			t.Helper()
			if wrong := v.wrong.FindString(p.Cure); wrong != "" && !slices.Contains(v.never, p.Code) {
				t.Errorf("%s does not know %q, of the cure of %s:\n%s", v.Version, wrong, p.Code, p.Cure)
			}
		}
		for _, number := range slices.Sorted(maps.Keys(finding.Causes)) {
			p := finding.ExplainSlaveError(number, "")
			p.Cure = v.InWords(p.Cure)
			said(p)
		}
		for _, c := range finding.EveryCause() {
			said(&finding.Problem{Code: c.Code, Cure: v.InWords(c.Cure)})
		}
		for _, c := range slices.Concat(serverCases, statusCases, masterCases, pairCases, setupCases, repairCases) {
			for _, moment := range moments {
				if c.at&moment == 0 {
					continue
				}
				for _, p := range v.finds(c, moment) {
					if said(p); names.MatchString(p.Cure) {
						t.Errorf("the cure of %s does not name the databases:\n%s", p.Code, p.Cure)
					}
				}
				nameless := c
				nameless.change = func(s *rules.Subject) { c.change(s); s.Databases = nil; loseFilter(s) }
				for _, p := range v.finds(nameless, moment) {
					if names.MatchString(p.Cure) {
						t.Errorf("the cure of %s has a name that nobody has filled in:\n%s", p.Code, p.Cure)
					}
				}
			}
		}
	}
}

// loseFilter takes from a slave what tells which databases it replicates.
func loseFilter(s *rules.Subject) {
	if s.Slave != nil && s.Connection() != nil {
		s.Connection().WildDoTable = nil
	}
}

// finds is what rules find in a case if its servers are of a version.
func (v version) finds(c ruleCase, moment rules.Moment) []*finding.Problem {
	s := wellSubject(moment, finding.Role(c.want[strings.LastIndexByte(c.want, ' ')+1:]))
	if v.Family == server.MySQL {
		ofMySQL(s)
	}
	c.change(s)
	for _, f := range []*facts.Facts{s.Master, s.Slave} {
		if f != nil {
			if f.Version = v.Version; v.Family == server.MariaDB {
				delete(f.Variables, "super_read_only")
			}
		}
	}
	found := rules.Judge(s)
	return slices.Concat(found.Problems, found.Warnings)
}
