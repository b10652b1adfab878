package facts_test

import (
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// TestParseGrants reads lines as servers print them.
func TestParseGrants(t *testing.T) {
	for line, want := range map[string]string{
		"GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD " +
			"'*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'": "[] *.*",
		"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED VIA mysql_native_password USING 'invalid' OR " +
			"unix_socket WITH GRANT OPTION": "[ALL PRIVILEGES] *.*",
		"GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' IDENTIFIED BY PASSWORD '*2470' REQUIRE SSL WITH GRANT OPTION " +
			"MAX_QUERIES_PER_HOUR 7": "[ALL PRIVILEGES] *.*",
		"GRANT SELECT, CREATE TEMPORARY TABLES ON `d\\_1`.* TO " +
			"`a`@`%`": "[SELECT CREATE TEMPORARY TABLES] `d\\_1`.*",
		"GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `a`@`%` WITH GRANT OPTION": "[BACKUP_ADMIN CLONE_ADMIN] *.*",
		"GRANT SELECT (`z)`, `x,y`), INSERT, UPDATE (`z)`) ON `d`.`a``b ON c` TO " +
			"`a`@`%`": "[SELECT (`z)`) SELECT (`x,y`) INSERT UPDATE (`z)`)] `d`.`a``b ON c`",
		"GRANT EXECUTE ON PROCEDURE `d`.`p` TO " +
			"`a`@`%`": "[EXECUTE] PROCEDURE `d`.`p`",
		"GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `d`.`p` TO " +
			"`a`@`%`": "[EXECUTE ALTER ROUTINE] FUNCTION `d`.`p`",
		"GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO " +
			"`a`@`%`": "[EXECUTE] PACKAGE BODY `d`.`p`",
		"GRANT SELECT ON `d TO e`.* TO PUBLIC": "[SELECT] `d TO e`.*",
		// with sql_quote_show_create=OFF
		"GRANT SELECT (a, `b c`) ON d.t TO `a`@localhost": "[SELECT (`a`) SELECT (`b c`)] `d`.`t`",
		"GRANT `r` TO `a`@`%` WITH ADMIN OPTION":          "",
		"GRANT `r`@`%`,`s`@`%` TO " +
			"`a`@`%`": "",
		"GRANT `SELECT ON d.* TO e` TO " +
			"`a`@`%`": "",
		"GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION": "",
		"REVOKE SELECT ON `d`.* FROM " +
			"`a`@`%`": "not [SELECT] `d`.*",
		"SET DEFAULT ROLE `r` FOR " +
			"`a`@`%`": "",
	} {
		got := ""
		for _, g := range facts.ParseGrants([]string{line}) {
			if g.Revoked {
				got += "not "
			}
			got += fmt.Sprint(g.Privileges, " ", g.On)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
