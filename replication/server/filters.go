package server

import (
	"slices"
	"strings"
)

// LeavesOut gives the filter by which the slave does not replicate a table;
// empty if it does.
func (s *SlaveStatus) LeavesOut(table string) string {
	matches := func(pattern string) bool { return matchesWild(pattern, table) }
	switch {
	case slices.Contains(s.IgnoreTable, table):
		return "replicate_ignore_table=" + strings.Join(s.IgnoreTable, ",")
	case slices.ContainsFunc(s.WildDoTable, matches):
		return ""
	case slices.ContainsFunc(s.WildIgnoreTable, matches):
		return "replicate_wild_ignore_table=" + strings.Join(s.WildIgnoreTable, ",")
	case len(s.WildDoTable) > 0:
		return "replicate_wild_do_table=" + strings.Join(s.WildDoTable, ",")
	}
	return ""
}

// LeavesOutAlone reports whether a table is left out of a database that may be
// replicated, as by a repair that was cut off.
func (s *SlaveStatus) LeavesOutAlone(table string) bool {
	return slices.Contains(s.IgnoreTable, table) || len(s.WildDoTable) == 0 && s.LeavesOut(table) != ""
}

// ReplicatesOf reports whether the slave may replicate tables of a database.
func (s *SlaveStatus) ReplicatesOf(database string) bool {
	return len(s.WildDoTable) == 0 || slices.ContainsFunc(s.WildDoTable, func(pattern string) bool {
		return mayMatchTableOf(pattern, database)
	})
}

// ReplicatesAllOf reports whether replicate_wild_do_table lets all tables of a
// database through.
func (s *SlaveStatus) ReplicatesAllOf(database string) bool {
	return slices.ContainsFunc(s.WildDoTable, func(pattern string) bool {
		whole, ok := strings.CutSuffix(pattern, ".%")
		return ok && matchesWild(whole, database)
	})
}

// Replicated are the databases that the filter names, with all their tables; none if
// it names others. Somebody may have left an underscore as it is.
func (s *SlaveStatus) Replicated() []string {
	var names []string
	for _, pattern := range s.WildDoTable {
		whole, ok := strings.CutSuffix(pattern, ".%")
		name := unescapePattern(whole)
		if ok && (EscapePattern(name) == whole || name == whole && !strings.Contains(name, "%")) {
			names = append(names, name)
		}
	}
	return names
}

// MayReach reports whether a pattern of a filter may match tables of a database.
func MayReach(pattern, database string) bool { return mayMatchTableOf(pattern, database) }

// mayMatchTableOf reports whether a pattern may match tables of a database. Both
// names may have dots in them; what ends in ".%" names the database before it.
func mayMatchTableOf(pattern, database string) bool {
	if whole, ok := strings.CutSuffix(pattern, ".%"); ok {
		return matchesWild(whole, database)
	}
	for i := range len(pattern) {
		if pattern[i] == '.' && matchesWild(pattern[:i], database) {
			return true
		}
	}
	return !strings.Contains(pattern, ".") && matchesWild(pattern, database)
}

// matchesWild reports whether a pattern of LIKE matches.
func matchesWild(pattern, name string) bool {
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '%':
			for j := 0; j <= len(name); j++ {
				if matchesWild(pattern[i+1:], name[j:]) {
					return true
				}
			}
			return false
		case name == "":
			return false
		case c == '\\' && i+1 < len(pattern):
			i++
			if pattern[i] != name[0] {
				return false
			}
		case c != '_' && c != name[0]:
			return false
		}
		name = name[1:]
	}
	return name == ""
}
