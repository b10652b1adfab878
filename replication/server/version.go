package server

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

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

// AtLeast reports whether the version is of a family and not older.
func (v Version) AtLeast(family Family, major, minor, patch int) bool {
	return v.Family == family && !v.Older(Version{Family: family, Major: major, Minor: minor, Patch: patch})
}

// Older reports whether the version is the older one. It compares the numbers
// alone.
func (v Version) Older(than Version) bool {
	switch {
	case v.Major != than.Major:
		return v.Major < than.Major
	case v.Minor != than.Minor:
		return v.Minor < than.Minor
	}
	return v.Patch < than.Patch
}
