package server

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// CheckConstraints is the query of the CHECKs of tables, for a list of databases
// to follow; empty: the server does not show them. Where it does not tell of what
// table they are, tables is the query that does.
func (v Version) CheckConstraints() (checks, tables string) {
	switch {
	case v.AtLeast(MariaDB, 10, 3, 10):
		return "SELECT constraint_schema AS d, table_name AS t, constraint_name AS n, check_clause AS b FROM information_schema.check_constraints WHERE constraint_schema", ""
	case v.AtLeast(MySQL, 8, 0, 16):
		return "SELECT constraint_schema AS d, constraint_name AS n, check_clause AS b FROM information_schema.check_constraints WHERE constraint_schema",
			"SELECT table_schema AS d, table_name AS t, constraint_name AS n, IF(enforced = 'NO', ' NOT ENFORCED', '') AS not_enforced FROM information_schema.table_constraints WHERE constraint_type = 'CHECK' AND table_schema"
	}
	return "", ""
}

// ShowsChecks tells whether the server shows the CHECKs of tables.
func (v Version) ShowsChecks() bool {
	checks, _ := v.CheckConstraints()
	return checks != ""
}

// Family tells the two lines of servers apart, whose SQL has gone different
// ways.
type Family string

// The families. Percona Server is of MySQL's.
const (
	MariaDB Family = "MariaDB"
	MySQL   Family = "MySQL"
)

// Version is a server's family and version. Versions of different families
// cannot be compared.
type Version struct {
	Family              Family
	Major, Minor, Patch int
}

// versionNumbers are the numbers at the beginning of VERSION(). MariaDB
// servers may put 5.5.5- before theirs for old clients.
var versionNumbers = regexp.MustCompile(`^(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?`)

// ParseVersion reads what a server says as VERSION() and @@version_comment.
func ParseVersion(version, comment string) (Version, error) {
	numbers := versionNumbers.FindStringSubmatch(version)
	if numbers == nil {
		return Version{}, fmt.Errorf("the server's version %q cannot be read", version)
	}
	v := Version{Family: MySQL}
	if strings.Contains(strings.ToLower(version+" "+comment), "mariadb") {
		v.Family = MariaDB
	}
	for i, n := range []*int{&v.Major, &v.Minor, &v.Patch} {
		if numbers[i+1] == "" {
			continue
		}
		var err error
		if *n, err = strconv.Atoi(numbers[i+1]); err != nil {
			return Version{}, fmt.Errorf("the server's version %q cannot be read: %w", version, err)
		}
	}
	return v, nil
}

// String is, for example, "MariaDB 10.11.6".
func (v Version) String() string {
	return fmt.Sprintf("%s %d.%d.%d", v.Family, v.Major, v.Minor, v.Patch)
}

// Series is the version without the last number, as in "10.11".
func (v Version) Series() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// AtLeast tells whether the version is of a family and not older.
func (v Version) AtLeast(family Family, major, minor, patch int) bool {
	return v.Family == family && !v.Older(Version{Family: family, Major: major, Minor: minor, Patch: patch})
}

// Older compares the numbers alone.
func (v Version) Older(than Version) bool {
	switch {
	case v.Major != than.Major:
		return v.Major < than.Major
	case v.Minor != than.Minor:
		return v.Minor < than.Minor
	}
	return v.Patch < than.Patch
}
