package seed

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// rightsAccount is the account whose rights are compared.
const rightsAccount = "'a'@'localhost'"

// rightsCases are what SHOW GRANTS of both families says on the master and on the slave,
// and what is to be granted on the slave.
var rightsCases = map[string]struct{ master, slave, want string }{
	"the same": {"GRANT SELECT ON `d_1`.* TO x", "GRANT SELECT ON `d_1`.* TO x", ""},
	"none": {
		"GRANT SELECT, INSERT ON `d_1`.* TO x", "GRANT USAGE ON *.* TO x",
		"GRANT SELECT, INSERT ON `d\\_1`.* TO " + rightsAccount + ";",
	},
	"escaped":      {"GRANT SELECT ON `d\\_1`.* TO x", "", "GRANT SELECT ON `d\\_1`.* TO " + rightsAccount + ";"},
	"by a pattern": {"GRANT SELECT ON `d_1`.* TO x", "GRANT SELECT ON `d%`.* TO x", ""},
	"beside a pattern": {
		"GRANT SELECT, INSERT ON `d_1`.* TO x", "GRANT SELECT, UPDATE ON `d_1`.* TO x\nGRANT RELOAD, DELETE ON *.* TO x",
		"GRANT SELECT, INSERT, UPDATE ON `d\\_1`.* TO " + rightsAccount + ";",
	},
	"of another": {
		"GRANT SELECT ON `d_1`.* TO x", "GRANT SELECT ON `d\\_2`.* TO x",
		"GRANT SELECT ON `d\\_1`.* TO " + rightsAccount + ";",
	},
	"all of all": {
		"GRANT ALL PRIVILEGES ON *.* TO x", "GRANT SELECT ON *.* TO x\nGRANT ALL PRIVILEGES ON `d_1`.* TO x", "",
	},
	"all": {
		"GRANT ALL PRIVILEGES ON *.* TO x", "", "GRANT ALL PRIVILEGES ON `d\\_1`.* TO " + rightsAccount + ";",
	},
	"not on databases": {"GRANT RELOAD, SELECT ON *.* TO x", "GRANT SELECT ON `d_1`.* TO x", ""},
	"a table": {
		"GRANT SELECT (`a`, `b`), UPDATE ON `d_1`.`t` TO x", "GRANT SELECT ON `d_1`.* TO x",
		"-- once the copy is done: GRANT UPDATE ON `d_1`.`t` TO " + rightsAccount + ";",
	},
	"to read a table": {
		"GRANT SELECT ON `d_1`.`t` TO x", "",
		"GRANT SELECT, EXECUTE ON `d\\_1`.* TO " + rightsAccount + "; -- once the copy is done: GRANT SELECT ON `d_1`.`t` " +
			"TO " + rightsAccount + ";",
	},
	"columns of a table": {"GRANT SELECT (`a`, `b`) ON `d_1`.`t` TO x", "GRANT SELECT ON `d_1`.`t` TO x", ""},
	"all of a table":     {"GRANT ALL PRIVILEGES ON `d_1`.`t` TO x", "GRANT ALL PRIVILEGES ON *.* TO x", ""},
	"more columns": {
		"GRANT SELECT (`a`, `b`) ON `d_1`.`t` TO x", "GRANT SELECT (`c`, `b`, `a`) ON `d_1`.`t` TO x", "",
	},
	"another column": {
		"GRANT UPDATE (`a`, `b`) ON `d_1`.`t` TO x", "GRANT UPDATE (`b`) ON `d_1`.`t` TO x",
		"-- once the copy is done: GRANT UPDATE (`a`) ON `d_1`.`t` TO " + rightsAccount + ";",
	},
	"a routine": {"GRANT EXECUTE ON PROCEDURE `d_1`.`p` TO x", "GRANT EXECUTE ON `d_1`.* TO x", ""},
	"others": {
		"GRANT SELECT ON `e`.* TO x\nGRANT SELECT ON `e`.`t` TO x\nGRANT role TO x\nGRANT PROXY ON ''@'%' TO x", "", "",
	},
	"more on the slave": {"GRANT SELECT ON `d_1`.* TO x", "GRANT ALL PRIVILEGES ON *.* TO x", ""},
	"dynamic privileges": {
		"GRANT SELECT ON *.* TO x\nGRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO x", "GRANT SELECT ON *.* TO x", "",
	},
	"revoked on one": {
		"GRANT SELECT, INSERT ON *.* TO x\nREVOKE SELECT ON `d_1`.* FROM x", "GRANT INSERT ON *.* TO x", "",
	},
	"revoked on the slave": {
		"GRANT SELECT ON *.* TO x\nREVOKE SELECT ON `d_2`.* FROM x",
		"GRANT SELECT ON *.* TO x\nREVOKE SELECT ON `d_1`.* FROM x", "GRANT SELECT ON `d\\_1`.* TO " + rightsAccount + ";",
	},
	"a name with a quote": {"GRANT SELECT ON `d``1`.* TO x", "", ""},
}

// TestRights reads SHOW GRANTS of both families.
func TestRights(t *testing.T) {
	for name, test := range rightsCases {
		databases := []string{"d_1"}
		lines := lacking(rightsAccount, facts.ParseGrants(strings.Split(test.master, "\n")),
			facts.ParseGrants(strings.Split(test.slave, "\n")), &facts.Facts{}, databases)
		if got := strings.Join(lines, "\n"); got != test.want && (test.want == "" || !strings.HasSuffix(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
