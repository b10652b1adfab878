package seed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// The tools that a dump is made of.
var dumper, loader = []string{"mariadb-dump"}, []string{"mariadb"}

// seedStops are tools that fail, and what a seed says then.
var seedStops = map[string]struct {
	tools  []string
	script string
	code   string
	says   string
	loads  bool // a part may be there
}{
	"no coordinates": {
		dumper, `exec $tool "$@" | grep -v MASTER_LOG`, "no-coordinates", "where the binary log stood", false,
	},
	"wrong coordinates": {
		dumper, `exec $tool "$@" | sed s/MASTER_LOG_POS=/MASTER_LOG_POS=9999999/`, "bad-coordinates", "has", false,
	},
	"purged log": {
		dumper, `exec $tool "$@" | sed "s/MASTER_LOG_FILE='/MASTER_LOG_FILE='no/"`, "log-purged", "no longer there", false,
	},
	"dump cut, status 0": {dumper, `$tool "$@" | head -c 2000000; exit 0`, "dump-cut", "middle", true},
	"dump cut, failed": {
		dumper, `$tool "$@" | head -c 2000000; echo "mariadb-dump: Lost connection" >&2; exit 2`, "tool-failed",
		"Lost connection", true,
	},
	"dump fails at once": {dumper, `echo "mariadb-dump: no luck" >&2; exit 3`, "tool-failed", "no luck", false},
	"loader dies": {
		loader, `head -c 100000 >/dev/null; echo "ERROR 1114 (HY000) at line 5: The table is full" >&2; exit 1`,
		"tool-failed", "table is full", false,
	},
	"loader error": {
		dumper, `exec $tool "$@" | sed 's/^INSERT INTO/NO SUCH STATEMENT/'`, "tool-failed", "1064", true,
	},
	"loader ends early": {loader, `exit 0`, "tool-failed", "ended before", false},
	"shell command": {
		dumper, `$tool "$@" | sed 's/^INSERT INTO/\\! touch '"$TMPDIR"'\/hacked\n&/'`, "tool-failed", "", true,
	},
}

// TestSeedStops makes seeds fail, and looks at what they say and leave behind.
func TestSeedStops(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_stop", "CREATE DATABASE seed_stop",
		"CREATE TABLE seed_stop.t (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000))",
		"INSERT INTO seed_stop.t (pad) SELECT REPEAT('x', 1000) FROM ("+numbers(5000)+") seq")
	loaded := func(t *testing.T) bool {
		return slave.Count(t, "information_schema.schemata", "schema_name = 'seed_stop'") > 0
	}
	for name, test := range seedStops {
		t.Run(name, func(t *testing.T) {
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_stop")
			t.Setenv("TMPDIR", t.TempDir())
			pairs.WrapTools(t, test.script, test.tools...)
			seed := newSeed(t, master, slave, "seed_stop")
			position, err := seed.Run(t.Context())
			if !finding.HasCode(err, test.code) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the seed gave %v", err)
			}
			if !position.IsZero() {
				t.Errorf("a failed seed gave the position %v", position)
			}
			if !test.loads && loaded(t) {
				t.Error("something has been loaded")
			}
			if _, err := os.Stat(filepath.Join(os.Getenv("TMPDIR"), "hacked")); err == nil {
				t.Error("the dump reached a shell")
			}
			pairs.NoTools(t)
		})
	}
}

// TestSeedAsksBeforeLoading stops a seed when its start is refused.
func TestSeedAsksBeforeLoading(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_asks", "CREATE DATABASE seed_asks",
		"CREATE TABLE seed_asks.t (id INT PRIMARY KEY)")
	slave.Exec(t, "DROP DATABASE IF EXISTS seed_asks")
	refused := errors.New("the journal cannot be written")
	seed := newSeed(t, master, slave, "seed_asks")
	seed.Started = func(context.Context, server.Position) error { return refused }
	if _, err := seed.Run(t.Context()); !errors.Is(err, refused) {
		t.Errorf("the seed gave %v", err)
	}
	if slave.Count(t, "information_schema.schemata", "schema_name = 'seed_asks'") != 0 {
		t.Error("something has been loaded")
	}
	pairs.NoTools(t)
}
