package seed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A dump is silent while what it has read waits to be loaded, or for --max-rate.
var (
	patientSession = server.SQL("SET SESSION wait_timeout=%d", server.SessionTimeout)
	patientOptions = []string{"init-command-add=" + patientSession.Reveal(), "init-command=" + patientSession.Reveal()}
)

// leastTimeout is the wait_timeout of a master, in seconds, from which on a dump
// is not ended that cannot set its own.
const leastTimeout = 600

// mayEnd is the problem of a dump that the master may end in its middle; nil if
// it does not. What mydumper's copies dump is never silent: the tables' definitions.
func (s *Seed) mayEnd(t *tool) *finding.Problem {
	timeout := s.MasterFacts.Number("wait_timeout")
	if s.Method == journal.SeedMydumper || t.knows(patientOptions...) != "" || timeout == 0 || timeout >= leastTimeout {
		return nil
	}
	return finding.New(finding.Master, "wait-timeout",
		"on the master, until the copy is done: SET GLOBAL wait_timeout=28800",
		"wait_timeout is %d s: the master would end a dump that waits that long for what it has read to be loaded,"+
			" and %s cannot set it for itself", timeout, t.name())
}

// dumpArguments are those of the dump that the copy is made of, which tells
// the coordinates unless it cannot.
func (c *copying) dumpArguments() []string {
	args := append(c.plainArguments(c.dumper), "--triggers")
	if !c.foreign {
		args = append(args, "--"+c.dumper.knows("source-data=2", "master-data=2"))
		if c.dumper.knows("set-gtid-purged") != "" {
			args = append(args, "--set-gtid-purged="+c.gtidPurged(c.dumper))
		}
	}
	if len(c.Tables) == 0 {
		args = append(args, "--routines", "--events", "--add-drop-database", "--databases", "--")
		return append(args, c.Databases...)
	}
	args = append(args, "--", c.databases()[0])
	for _, name := range c.Tables {
		_, table := server.SplitTable(name, c.databases())
		args = append(args, table)
	}
	return args
}

// plainArguments are what every dump is told, but for the login: nothing is
// left to a tool's defaults that matters.
func (s *Seed) plainArguments(t *tool) []string {
	args := []string{
		"--quick", "--comments", "--hex-blob", "--tz-utc",
		"--default-character-set=utf8mb4", "--max-allowed-packet=1G",
	}
	for _, wanted := range []string{"no-tablespaces", "column-statistics=0", "dump-history", "set-gtid-purged=OFF"} {
		if option := t.knows(wanted); option != "" {
			args = append(args, "--"+option)
		}
	}
	if option := t.knows(patientOptions...); option != "" {
		args = append(args, "--"+option)
	}
	args = append(args, s.compression(t)...)
	if t.version.Family == server.MariaDB {
		// Within LOCK TABLES a default cannot take the next number of a sequence (1100).
		args = append(args, "--skip-add-locks")
	}
	if s.LockTables {
		args = append(args, "--lock-all-tables")
	} else {
		args = append(args, "--single-transaction")
	}
	return args
}

// gtidPurged is how mysqldump says which transactions a dump holds. A dump
// that would set them is as good: the stream takes that out.
func (s *Seed) gtidPurged(t *tool) string {
	switch {
	case !s.MasterFacts.GTIDs():
		return "OFF"
	case t.version.AtLeast(server.MySQL, 8, 0, 17):
		return "COMMENTED"
	default:
		return "ON"
	}
}

// loadArguments are a client's, but for the login. In binary mode it takes
// no commands to itself from a dump, such as one to a shell, and leaves bytes
// as they are; comments are parts of routines.
func loadArguments(t *tool) []string {
	args := []string{
		"--batch", "--skip-column-names", "--unbuffered", "--binary-mode", "--comments", "--skip-reconnect",
		"--local-infile=0", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
	}
	for _, wanted := range []string{"sandbox", "system-command=OFF", "skip-print-query-on-error"} {
		if option := t.knows(wanted); option != "" {
			args = append(args, "--"+option)
		}
	}
	return args
}

// prelude is what is loaded before a dump: what it brings is not to be logged
// as if it had been done here, and is to become what it is on the master.
func (s *Seed) prelude(ctx context.Context) (string, error) {
	statements := []server.Statement{
		server.SQL("SET SESSION sql_log_bin=0"), server.SQL("SET SESSION autocommit=1"), patientSession,
	}
	for _, name := range mattersToCopies {
		if s.SlaveFacts.On(name) {
			statements = append(statements, server.SQL("SET SESSION %s=OFF", name))
		}
	}
	collations, err := s.defaultCollations(ctx)
	if err != nil {
		return "", err
	}
	statements = append(statements, collations...)
	if len(s.Tables) > 0 {
		statements = append(statements, server.SQL("USE %s", server.QuoteName(s.databases()[0])))
	}
	var b strings.Builder
	for _, s := range statements {
		fmt.Fprintf(&b, "%s;\n", s.Reveal())
	}
	return b.String(), nil
}

// mattersToCopies are variables by which a server refuses what is on the master,
// or changes it. What the master would refuse today may be older than its setting.
var mattersToCopies = []string{
	"innodb_strict_mode", "sql_require_primary_key", "sql_generate_invisible_primary_key", checkConstraints,
}

// checkConstraints is the variable by which MariaDB holds rows against CHECKs.
const checkConstraints = "check_constraint_checks"

// defaultCollations make a character set mean the collation that it means on
// the master: what older servers say of a table leaves the default out, which
// newer ones have changed.
func (s *Seed) defaultCollations(ctx context.Context) ([]server.Statement, error) {
	var onMaster map[string]string
	var err error
	if s.File != nil {
		onMaster = s.File.Head.Collations
	} else if onMaster, err = readCollations(ctx, s.Master); err != nil {
		return nil, err
	}
	onSlave, err := readCollations(ctx, s.Slave)
	if err != nil {
		return nil, err
	}
	var differ []string
	for _, set := range slices.Sorted(maps.Keys(onMaster)) {
		wanted := onMaster[set]
		if is, exists := onSlave[set]; exists && is != wanted && s.SlaveFacts.Collations[wanted] {
			differ = append(differ, set+"="+wanted)
		}
	}
	list := strings.Join(differ, ",")
	if _, exists := s.SlaveFacts.Variables["character_set_collations"]; exists && list != "" { // MariaDB 11
		return []server.Statement{server.SQL("SET SESSION character_set_collations=%s", server.QuoteString(list))}, nil
	}
	const old = "utf8mb4_general_ci"
	_, exists := s.SlaveFacts.Variables["default_collation_for_utf8mb4"] // MySQL 8
	if exists && slices.Contains(differ, "utf8mb4="+old) {
		return []server.Statement{server.SQL("SET SESSION default_collation_for_utf8mb4=%s", old)}, nil
	}
	return nil, nil
}

// readCollations reads the default collations of the character sets of Unicode.
func readCollations(ctx context.Context, s *server.Server) (map[string]string, error) {
	rows, err := s.Query(ctx, s.DB,
		"SELECT character_set_name AS c, default_collate_name AS d FROM information_schema.character_sets"+
			" WHERE character_set_name IN ('utf8', 'utf8mb3', 'utf8mb4', 'ucs2', 'utf16', 'utf32')")
	defaults := make(map[string]string, len(rows))
	for _, r := range rows {
		defaults[r["c"]] = r["d"]
	}
	return defaults, err
}
