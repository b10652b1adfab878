package main_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// repairsRows puts the rows right that differ, of all tables of which rows are all that
// does. Of some it says why it does not, and of no others.
func (c *corpusRun) repairsRows() {
	c.t.Helper()
	out, _ := c.command(c.slave, c.compareArgs("--json")...).Output() // they differ
	var result comparedAs
	if err := json.Unmarshal(out, &result); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	var tables []string
	for _, t := range result.Tables {
		if len(t.Differences) > 0 && len(t.Structure) == 0 && t.Problem == "" {
			tables = append(tables, t.Table)
		}
	}
	args := func() []string {
		args := []string{"--repair-rows", "--lock-tables"}
		for _, table := range tables {
			args = append(args, "--table", table)
		}
		return args
	}
	out, _ = c.command(c.slave, c.compareArgs(append(args(), "--dry-run", "--json")...)...).Output() // some are refused
	var plan struct{ Problems []struct{ Code, Text string } }
	if err := json.Unmarshal(out, &plan); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	for _, problem := range plan.Problems {
		c.t.Logf("%s: %s", problem.Code, problem.Text)
		if !slices.Contains([]string{"rows-key", "rows-trigger", "rows-definition"}, problem.Code) {
			c.t.Errorf("refused is %s: %s", problem.Code, problem.Text)
		}
		tables = slices.DeleteFunc(tables, func(table string) bool { return strings.HasPrefix(problem.Text, table+": ") })
	}
	if len(tables) < 10 {
		c.t.Errorf("only %q have rows that are put right", tables)
	}
	c.t.Logf("put right: %q", tables)
	if out := c.must(c.slave, c.compareArgs(append(args(), "--yes")...)...); !strings.Contains(out, "tables equal at") {
		c.t.Errorf("got:\n%s", out)
	}
}
