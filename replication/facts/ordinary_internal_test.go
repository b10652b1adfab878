package facts

import "testing"

// TestOrdinary: what the grants of a login rule out is known, and nothing else is.
func TestOrdinary(t *testing.T) {
	for _, test := range []struct {
		name            string
		grants          []string
		ordinary, lacks bool
	}{
		{name: "not read"},
		{name: "nothing", grants: []string{"GRANT USAGE ON *.* TO `u`@`h`"}, ordinary: true, lacks: true},
		{
			name:     "the monitor account",
			grants:   []string{"GRANT PROCESS, BINLOG MONITOR ON *.* TO `u`@`h`", "GRANT SELECT ON `vo`.* TO `u`@`h`"},
			ordinary: true, lacks: true,
		},
		{name: "all", grants: []string{"GRANT ALL PRIVILEGES ON *.* TO `u`@`h`"}},
		{name: "of a later server", grants: []string{"GRANT PROCESS, LOOK AROUND ON *.* TO `u`@`h`"}, lacks: true},
		{name: "reads all", grants: []string{"GRANT SELECT ON *.* TO `u`@`h`"}, ordinary: true},
		{name: "a pattern", grants: []string{"GRANT SELECT ON `my%`.* TO `u`@`h`"}, ordinary: true},
		{name: "a table", grants: []string{"GRANT SELECT ON `mysql`.`user` TO `u`@`h`"}, ordinary: true},
		{name: "columns", grants: []string{"GRANT SELECT (`User`), UPDATE ON `mysql`.`user` TO `u`@`h`"}, ordinary: true},
		{name: "writes", grants: []string{"GRANT UPDATE ON `mysql`.`user` TO `u`@`h`"}, ordinary: true, lacks: true},
		{name: "a role", grants: []string{"GRANT USAGE ON *.* TO `u`@`h`", "GRANT `r`@`%` TO `u`@`h`"}},
	} {
		f := &Facts{Grants: test.grants}
		if f.isOrdinary() != test.ordinary || f.lacksAccounts() != test.lacks {
			t.Errorf("%s: ordinary %t, lacks accounts %t", test.name, f.isOrdinary(), f.lacksAccounts())
		}
	}
	client := &Facts{Grants: []string{"GRANT REPLICATION CLIENT ON *.* TO `u`@`h`"}}
	if client.isOrdinary() || !client.isOrdinary("REPLICATION CLIENT") {
		t.Error("REPLICATION CLIENT is not told from other privileges")
	}
}
