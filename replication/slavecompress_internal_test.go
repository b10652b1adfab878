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

// TestCompression: a slave that begins is compressed for where the line is measured to be slow,
// by the words of its server; one that follows stays as it is, unless somebody says so.
func TestCompression(t *testing.T) {
	maria := server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}
	old := server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42}
	new80 := server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}
	const on, off = "COMPRESSION_ALGORITHMS='zstd,zlib,uncompressed'", "COMPRESSION_ALGORITHMS='uncompressed'"
	const setOn, setOff = "slave_compressed_protocol=1", "slave_compressed_protocol=0"
	none := []string{"COMPRESSION", "slave_compressed"}
	slow, fast := facts.Line{Bits: 20e6}, facts.Line{Bits: 900e6}
	for name, c := range map[string]struct {
		version  server.Version
		follows  bool // the slave, compressed if was
		was      bool
		compress Compression
		line     facts.Line
		maxRate  uint64
		has      []string
		hasNot   []string
	}{
		"slow, MariaDB":         {version: maria, compress: CompressAuto, line: slow, has: []string{setOn, "about 20 Mbit/s"}},
		"slow, MySQL 5.7":       {version: old, compress: CompressAuto, line: slow, has: []string{setOn}, hasNot: []string{on}},
		"slow, MySQL 8":         {version: new80, compress: CompressAuto, line: slow, has: []string{"SOURCE_" + on}, hasNot: []string{setOn}},
		"fast, MariaDB":         {version: maria, compress: CompressAuto, line: fast, has: []string{"uncompressed: the line"}, hasNot: none},
		"fast, MySQL 8":         {version: new80, compress: CompressAuto, line: fast, has: []string{off}},
		"growing, MySQL 8":      {version: new80, compress: CompressAuto, line: facts.Line{Bits: 20e6, Grows: true}, has: []string{off}},
		"small, MySQL 8":        {version: new80, compress: CompressAuto, has: []string{off}},
		"by the rate":           {version: maria, compress: CompressAuto, maxRate: 1e6, has: []string{setOn, "8.0 Mbit/s"}},
		"by a high rate":        {version: maria, compress: CompressAuto, maxRate: 1e9, hasNot: none},
		"off on a slow line":    {version: new80, compress: CompressOff, line: slow, has: []string{off}},
		"on on a fast line":     {version: new80, compress: CompressOn, line: fast, has: []string{on}},
		"nothing said":          {version: new80, line: slow, hasNot: none},
		"fast, was slow":        {version: maria, was: true, compress: CompressAuto, line: fast, has: []string{setOff}},
		"not measured, it was":  {version: maria, was: true, compress: CompressAuto, hasNot: []string{setOff}},
		"follows":               {version: maria, follows: true, compress: CompressAuto, line: slow, hasNot: none},
		"follows compressed":    {version: maria, follows: true, was: true, compress: CompressAuto, hasNot: none},
		"follows, then on":      {version: maria, follows: true, compress: CompressOn, has: []string{setOn}},
		"follows, on again":     {version: maria, follows: true, was: true, compress: CompressOn, hasNot: none},
		"follows, then off":     {version: maria, follows: true, was: true, compress: CompressOff, has: []string{setOff}},
		"follows, 8":            {version: new80, follows: true, compress: CompressAuto, line: slow, hasNot: none},
		"follows, then on, 8":   {version: new80, follows: true, compress: CompressOn, has: []string{on}},
		"follows, on again, 8":  {version: new80, follows: true, was: true, compress: CompressOn, hasNot: none},
		"follows, then off, 8":  {version: new80, follows: true, was: true, compress: CompressOff, has: []string{off}},
		"follows, off again, 8": {version: new80, follows: true, compress: CompressOff, hasNot: none},
	} {
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
