package corpus

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Case is something small that setups, copies or comparisons have stumbled over,
// or might.
type Case struct {
	Name      string
	Databases []string
	SQL       string
}

// Cases are those that servers of a kind can have. The first line of a case may say
// for which families it is, and, behind a !, for which kinds it is not.
func Cases(kind servertest.Kind) ([]Case, error) {
	names, err := fs.Glob(files, "cases/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		sql := string(text)
		first, _, _ := strings.Cut(sql, "\n")
		if only, found := strings.CutPrefix(first, "-- only: "); found {
			words := strings.Fields(only)
			if !slices.Contains(words, family(kind)) || slices.Contains(words, "!"+string(kind)) {
				continue
			}
		}
		all = append(all, Case{
			Name: strings.TrimSuffix(path.Base(name), ".sql"), Databases: databasesAt(sql), SQL: sql,
		})
	}
	return all, nil
}

// databasesAt are those that a case creates and leaves.
func databasesAt(sql string) []string {
	return slices.DeleteFunc(databasesOf(strings.ReplaceAll(sql, "; CREATE DATABASE ", ";\nCREATE DATABASE ")),
		func(name string) bool { return strings.Contains(sql, "DROP DATABASE "+name+";") })
}
