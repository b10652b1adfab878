package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// dropInOf is the option file after a plan, without its head; empty if the plan leaves
// it alone.
func dropInOf(p *Plan) string {
	for _, s := range p.Steps {
		if s.File != nil && strings.HasSuffix(s.Name, "drop-in") {
			_, settings, _ := strings.Cut(s.File.Content.String(), "[mysqld]\n")
			return settings
		}
	}
	return ""
}

// formerSlave is a server that gtunnel has made a slave, as it stands in its option file.
func formerSlave(role finding.Role) (*facts.Facts, *optionfile.DropIn) {
	f := newFacts(role, server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0})
	f.Variables["server_id"] = "2"
	return f, (&optionfile.DropIn{Path: "/d/" + optionfile.DropInName}).With(
		optionfile.Setting{Name: "max_allowed_packet", Value: "16777216"},
		optionfile.Setting{Name: "read_only", Value: "ON"}, optionfile.Setting{Name: "super_read_only", Value: "ON"},
		optionfile.Setting{Name: "replicate_wild_do_table", Value: ":voms.%"},
		optionfile.Setting{Name: "server_id", Value: "1"}, // as an earlier version has left it
	)
}

// TestDropInFollowsRole: what a server has been is in its option file as long as it is
// that, and no longer.
func TestDropInFollowsRole(t *testing.T) {
	const (
		ofMaster = "max_allowed_packet = 16777216\nserver_id = 2\n"
		ofSlave  = "max_allowed_packet = 16777216\nread_only = ON\nreplicate_wild_do_table = \":voms.%\"\n" +
			"server_id = 2\nsuper_read_only = ON\n"
	)
	for name, c := range map[string]struct {
		change func(*facts.Facts)
		want   string
	}{
		"nobody's slave":   {func(*facts.Facts) {}, ofMaster},
		"a slave":          {func(f *facts.Facts) { f.Masters = []*server.SlaveStatus{{IORunning: "Yes"}} }, ofSlave},
		"a stopped slave":  {func(f *facts.Facts) { f.Masters = []*server.SlaveStatus{{IORunning: "No"}} }, ofSlave},
		"perhaps a slave":  {func(f *facts.Facts) { f.Unseen = true }, ofSlave},
		"another's master": {func(f *facts.Facts) { f.Slaves = []uint32{3} }, ofMaster},
	} {
		f, dropIn := formerSlave(finding.Master)
		c.change(f)
		plan := PlanMaster(f, MasterWant{Databases: []string{"voms"}, DropIn: dropIn, Fresh: fresh()})
		if got := dropInOf(plan); got != c.want {
			t.Errorf("%s: the option file is\n%s, want\n%s", name, got, c.want)
		}
	}

	f, dropIn := formerSlave(finding.Master)
	f.Persisted = map[string]string{"read_only": "ON", "super_read_only": "OFF"}
	shown := show(PlanMaster(f, MasterWant{Databases: []string{"voms"}, DropIn: dropIn.Without(
		"read_only", "super_read_only", "replicate_wild_do_table"), Fresh: fresh()}))
	if !strings.Contains(shown, "SQL: RESET PERSIST IF EXISTS read_only\n") || strings.Contains(shown, "EXISTS super") ||
		!strings.Contains(shown, "SET PERSIST_ONLY read_only='ON'") {
		t.Errorf("the plan is\n%s", shown)
	}
}

// TestFormerMasterAsSlave: a master that becomes a slave keeps its server_id, and takes
// none that one of its own slaves has.
func TestFormerMasterAsSlave(t *testing.T) {
	for name, c := range map[string]struct {
		id     string
		slaves []uint32
		want   string
	}{
		"its own":                {"7", nil, "7"},
		"the master's":           {"1", nil, "2"},
		"the master's, a middle": {"1", []uint32{2}, "3"},
	} {
		master, slave, want := established(planVersion)
		slave.Masters, slave.Databases = nil, nil
		slave.Variables["server_id"], slave.Slaves = c.id, c.slaves
		want.DropIn = (&optionfile.DropIn{Path: "/d/" + optionfile.DropInName}).With(
			optionfile.Setting{Name: "binlog_format", Value: "ROW"}, optionfile.Setting{Name: "log_bin", Value: "mysql-bin"},
			optionfile.Setting{Name: "server_id", Value: "1"})
		got := "binlog_format = ROW\nlog_bin = mysql-bin\n"
		if is := dropInOf(want.plan(master, slave)); !strings.HasPrefix(is, got) ||
			!strings.Contains(is, "server_id = "+c.want+"\n") || !strings.Contains(is, "read_only = ON\n") {
			t.Errorf("%s: the option file is\n%s", name, is)
		}
	}
}

// TestReadOnlyForAll: MariaDB 12 can be read-only for administrators too, and is so again
// after what they have to write. Option files have what every version takes.
func TestReadOnlyForAll(t *testing.T) {
	const begin, end = "SQL: SET GLOBAL read_only=1\n", "SQL: SET GLOBAL read_only='NO_LOCK_NO_ADMIN'\n"
	for name, change := range map[string]func(*facts.Facts, *planned){
		"events": func(s *facts.Facts, _ *planned) {
			s.Databases[1].EnabledEvents = []facts.Event{{Database: "voms", Name: "e"}}
		},
		"a copy": func(_ *facts.Facts, w *planned) { w.Reseed, w.Replace = true, []string{"DB_1", "voms"} },
	} {
		master, slave, want := established(server.Version{Family: server.MariaDB, Major: 12, Minor: 3, Patch: 1})
		want.DropIn = &optionfile.DropIn{Path: "/d/" + optionfile.DropInName}
		delete(slave.Variables, "super_read_only")
		slave.Variables["read_only"] = "NO_LOCK_NO_ADMIN"
		change(slave, &want)
		shown := show(want.plan(master, slave))
		_, after, found := strings.Cut(shown, begin)
		if name == "a copy" {
			_, after, found = strings.Cut(shown,
				"SQL: SET GLOBAL read_only=0\n  undo: SET GLOBAL read_only='NO_LOCK_NO_ADMIN'\n")
		}
		if !found || !strings.Contains(after, end) || !strings.Contains(shown, "read_only = ON\n") {
			t.Errorf("%s: the plan is\n%s", name, shown)
		}
	}
}
