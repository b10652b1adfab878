package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// What a plan has of compression.
const (
	byOption, byOptionNot     = "COMPRESSION_ALGORITHMS='zstd,zlib,uncompressed'", "COMPRESSION_ALGORITHMS='uncompressed'"
	byVariable, byVariableNot = "slave_compressed_protocol=1", "slave_compressed_protocol=0"
)

var (
	maria = server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}
	my57  = server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42}
	my80  = server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}

	slow, fast, growing = facts.Line{Bits: 20e6}, facts.Line{Bits: 900e6}, facts.Line{Bits: 20e6, Grows: true}

	nothing = []string{"COMPRESSION", "slave_compressed"}
)

// compressionCases are slaves that begin, or follow, compressed if they were.
var compressionCases = map[string]struct {
	version      server.Version
	follows, was bool
	compress     Compression
	line         facts.Line
	maxRate      uint64
	has, hasNot  []string // of the plan
}{
	"slow, MariaDB": {
		version: maria, compress: CompressAuto, line: slow,
		has: []string{byVariable, "about 20 Mbit/s"},
	},
	"slow, MySQL 5.7": {
		version: my57, compress: CompressAuto, line: slow,
		has: []string{byVariable}, hasNot: []string{byOption},
	},
	"slow, MySQL 8": {
		version: my80, compress: CompressAuto, line: slow,
		has: []string{"SOURCE_" + byOption}, hasNot: []string{byVariable},
	},
	"fast, MariaDB": {
		version: maria, compress: CompressAuto, line: fast,
		has: []string{"uncompressed: the line"}, hasNot: nothing,
	},
	"fast, MySQL 8": {version: my80, compress: CompressAuto, line: fast, has: []string{byOptionNot}},
	"growing, MySQL 8": {
		version: my80, compress: CompressAuto, line: growing,
		has: []string{byOptionNot},
	},
	"small, MySQL 8": {version: my80, compress: CompressAuto, has: []string{byOptionNot}},
	"by the rate": {
		version: maria, compress: CompressAuto, maxRate: 1e6,
		has: []string{byVariable, "8.0 Mbit/s"},
	},
	"by a high rate":     {version: maria, compress: CompressAuto, maxRate: 1e9, hasNot: nothing},
	"off on a slow line": {version: my80, compress: CompressOff, line: slow, has: []string{byOptionNot}},
	"on on a fast line":  {version: my80, compress: CompressOn, line: fast, has: []string{byOption}},
	"nothing said":       {version: my80, line: slow, hasNot: nothing},
	"fast, was slow": {
		version: maria, was: true, compress: CompressAuto, line: fast,
		has: []string{byVariableNot},
	},
	"not measured, it was": {
		version: maria, was: true, compress: CompressAuto, hasNot: []string{byVariableNot},
	},
	"follows": {
		version: maria, follows: true, compress: CompressAuto, line: slow, hasNot: nothing,
	},
	"follows compressed": {
		version: maria, follows: true, was: true, compress: CompressAuto, hasNot: nothing,
	},
	"follows, then on":  {version: maria, follows: true, compress: CompressOn, has: []string{byVariable}},
	"follows, on again": {version: maria, follows: true, was: true, compress: CompressOn, hasNot: nothing},
	"follows, then off": {
		version: maria, follows: true, was: true, compress: CompressOff,
		has: []string{byVariableNot},
	},
	"follows, 8": {
		version: my80, follows: true, compress: CompressAuto, line: slow, hasNot: nothing,
	},
	"follows, then on, 8":  {version: my80, follows: true, compress: CompressOn, has: []string{byOption}},
	"follows, on again, 8": {version: my80, follows: true, was: true, compress: CompressOn, hasNot: nothing},
	"follows, then off, 8": {
		version: my80, follows: true, was: true, compress: CompressOff,
		has: []string{byOptionNot},
	},
	"follows, off again, 8": {version: my80, follows: true, compress: CompressOff, hasNot: nothing},
}

// TestCompression: a slave that begins is compressed for where the line is measured to be slow,
// by the words of its server; one that follows stays as it is, unless somebody says so.
func TestCompression(t *testing.T) {
	for name, c := range compressionCases {
		master, slave, want := established(c.version)
		if !c.follows {
			slave = newFacts(finding.Slave, c.version)
			slave.Variables["server_id"] = "2"
			want.State = journal.State{}
		}
		want.Compress, want.Line, want.MaxRate = c.compress, c.line, c.maxRate
		if !c.version.CompressesBySource() {
			slave.Variables[server.CompressionVariable] = map[bool]string{true: "ON", false: "OFF"}[c.was]
			if c.was {
				want.DropIn = want.DropIn.With(optionfile.Setting{Name: server.CompressionVariable, Value: "ON"})
			}
		} else if c.follows {
			want.Algorithms = map[bool]string{true: server.Compressed, false: server.Uncompressed}[c.was]
		}
		plan := show(want.plan(master, slave))
		for _, text := range c.has {
			if !strings.Contains(plan, text) {
				t.Errorf("%s: no %s in the plan\n%s", name, text, plan)
			}
		}
		for _, text := range c.hasNot {
			if strings.Contains(plan, text) {
				t.Errorf("%s: %s is in the plan\n%s", name, text, plan)
			}
		}
	}
}
