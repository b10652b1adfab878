package seed

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

var (
	// dumpPosition are a dump's coordinates in the words of all its tools:
	// MASTER_LOG_FILE of old ones, SOURCE_LOG_FILE of MySQL 8.2 and later.
	dumpPosition = regexp.MustCompile(`(?m)^(?:-- )?CHANGE (?:MASTER|REPLICATION SOURCE) TO ` +
		`(?:MASTER|SOURCE)_LOG_FILE='([^']+)', (?:MASTER|SOURCE)_LOG_POS=(\d+);`)

	// dumpPurged is MySQL's set of the transactions that a dump holds. It is
	// within a comment if the tool knows how to say it in one.
	dumpPurged = regexp.MustCompile(`(?:/\* )?SET @@GLOBAL\.GTID_PURGED=(?:/\*!80000 '\+'\*/)?\s*'\+?([^']*)';(?:\*/)?`)

	// sandboxLine makes MariaDB's clients refuse commands to the client, and
	// other clients stumble.
	sandboxLine = []byte(`/*M!999999\- enable the sandbox mode */`)
)

var (
	// dumpMode is the sql_mode in which a dump is to be loaded.
	dumpMode = []byte("SQL_MODE='NO_AUTO_VALUE_ON_ZERO'")
	// loadMode is what it becomes. Dates that are none, which a master may have
	// taken, become zeros without the one mode, and tables of an engine that the
	// slave lacks become InnoDB without the other.
	loadMode = []byte("SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'")
)

// readHead takes a dump's coordinates from its head, and gives the head as it
// may be loaded: without what would set the slave's GTIDs, which is the
// caller's to do, without the sandbox line, and in our sql_mode.
func readHead(head []byte) (server.Position, []byte) {
	var p server.Position
	if found := dumpPosition.FindSubmatch(head); found != nil {
		p.File = string(found[1])
		p.Offset, _ = strconv.ParseUint(string(found[2]), 10, 64) // digits
	}
	if found := dumpPurged.FindSubmatch(head); found != nil {
		p.GTID = strings.NewReplacer("\n", "", " ", "").Replace(string(found[1]))
	}
	head = bytes.Replace(dumpPurged.ReplaceAll(head, nil), dumpMode, loadMode, 1)
	return p, bytes.Replace(head, sandboxLine, nil, 1)
}

// firstChange finds the first line of a dump that is no longer its head: what
// makes, uses or fills something.
var firstChange = regexp.MustCompile(`(?m)^(?:/\*!\d+ )?(?:CREATE|DROP|USE|INSERT|REPLACE|LOCK|ALTER|DELIMITER)\b`)

// headEnd gives where the head of a dump ends; -1 if it goes on.
func headEnd(dump []byte) int {
	if at := firstChange.FindIndex(dump); at != nil {
		return at[0]
	}
	return -1
}
