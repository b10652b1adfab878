package facts_test

import (
	"fmt"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// Privileges are read from SHOW GRANTS.
func ExampleGrant() {
	grants := facts.ParseGrants([]string{
		"GRANT PROCESS ON *.* TO `gtunnel_monitor`@`127.0.0.1`",
		"GRANT SELECT, SHOW VIEW ON `voms`.* TO `gtunnel_monitor`@`127.0.0.1`",
	})
	for _, g := range grants {
		fmt.Println(g.Privileges, "on", g.On)
	}
	fmt.Println(facts.Given(grants, facts.WholeOf("voms"), "SHOW VIEW"),
		facts.Given(grants, facts.WholeOf("iam"), "SELECT"))
	// Output:
	// [PROCESS] on *.*
	// [SELECT SHOW VIEW] on `voms`.*
	// true false
}

func ExampleTarget() {
	fmt.Println(facts.WholeOf("DB_1"))
	fmt.Println(facts.ObjectOf("PROCEDURE ", "mysql", facts.DropSeedProcedure))
	// Output:
	// `DB_1`.*
	// PROCEDURE `mysql`.`gtunnel_drop_seed`
}
