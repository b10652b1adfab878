package compare

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// skipUnopened tells of a table that the login on one of the ends may not open, and
// reports whether there is one. MariaDB 10.5 opens a table whose column takes its default
// from a sequence only for those that may take the next value, and shows others no column.
func skipUnopened(result *Result, name string, ends ...*schema) bool {
	for i, s := range ends {
		t, other := s.table(name), ends[1-i].table(name)
		if t == nil || other == nil || t.broken != "" || len(t.columns) > 0 || len(other.columns) == 0 {
			continue
		}
		var grants []string
		for _, sequence := range other.sequences() {
			grants = append(grants, "GRANT INSERT ON "+sequence)
		}
		cure := ""
		if len(grants) > 0 {
			cure = "; " + strings.Join(grants, " and ") + ", from which its columns take their defaults, lets it"
		}
		result.skip(fmt.Sprintf("table %s: the login on the %s may not open it%s", name, s.server.Role, cure))
		return true
	}
	return false
}

// nextValue is a default that a sequence gives.
var nextValue = regexp.MustCompile("(?i)nextval\\(((?:`(?:[^`]|``)*`\\.)?`(?:[^`]|``)*`)\\)")

// sequences are the quoted names of those from which columns take their defaults.
func (t *tableShape) sequences() []string {
	var names []string
	for _, c := range t.columns {
		for _, found := range nextValue.FindAllStringSubmatch(c.fallback, -1) {
			name := found[1]
			if !strings.Contains(name, "`.`") {
				name = server.QuoteName(t.database) + "." + name
			}
			names = append(names, name)
		}
	}
	return names
}
