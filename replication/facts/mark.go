package facts

import (
	"strings"
)

// MarkBefore is what comes before a server's mark in the comment of the procedure
// dropSeedProcedure, where it is kept. A new server in the place of another, with
// the same server_id, has another one.
const MarkBefore = "gtunnel replication, server "

// markIn gives the mark in a comment; empty if there is none.
func markIn(comment string) string {
	mark, found := strings.CutPrefix(comment, MarkBefore)
	if !found {
		return ""
	}
	return mark
}
