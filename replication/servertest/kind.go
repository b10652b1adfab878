package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kind is a kind of server.
type Kind string

// The kinds. MariaDB is what is installed on this host; the others are trees
// that .ci/servers unpacks.
const (
	MariaDB    Kind = "mariadb" // 10.11 on Debian 12
	MariaDB105 Kind = "mariadb-10.5"
	MariaDB118 Kind = "mariadb-11.8"
	MySQL97    Kind = "mysql-9.7"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{MariaDB, MariaDB105, MariaDB118, MySQL97} }

// IsMySQL reports whether the kind is of MySQL's family.
func (k Kind) IsMySQL() bool { return strings.HasPrefix(string(k), "mysql") }

// defaultTrees is where .ci/servers puts its trees, if GTUNNEL_SERVERS names no
// other folder.
const defaultTrees = "/var/cache/gtunnel"

// folder is where the kind's programs are; empty for those of the host.
func (k Kind) folder() string {
	if k == MariaDB {
		return ""
	}
	trees := os.Getenv("GTUNNEL_SERVERS")
	if trees == "" {
		trees = defaultTrees
	}
	return filepath.Join(trees, string(k), "programs")
}

// MissingError says that the programs of a kind are not on this host.
type MissingError struct {
	Kind    Kind
	Program string
}

// Error names the program.
func (e *MissingError) Error() string {
	if e.Kind == MariaDB {
		return e.Program + " is not on this host"
	}
	return fmt.Sprintf("%s of %s is not on this host", e.Program, e.Kind)
}

// Hint is how to get it.
func (e *MissingError) Hint() string {
	switch e.Kind {
	case MariaDB:
		return "run .ci/install mariadb, or install MariaDB's server and client"
	case MySQL97:
		return "run .ci/install mysql (as root, on Debian)"
	default:
		return "run .ci/install " + strings.NewReplacer("-", "", ".", "").Replace(string(e.Kind)) + " (as root, on Debian)"
	}
}

// Find gives the path of one of the kind's programs, such as mariadb-dump. The
// error is a *MissingError.
func (k Kind) Find(program string) (string, error) {
	folders := []string{k.folder()}
	if k == MariaDB {
		if path, err := exec.LookPath(program); err == nil {
			return path, nil
		}
		folders = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}
	}
	for _, folder := range folders {
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{Kind: k, Program: program}
}

// Path is a value of PATH with which a program finds this kind's clients first,
// as on a host of that kind.
func (k Kind) Path() string {
	if k == MariaDB {
		return os.Getenv("PATH")
	}
	return k.folder() + ":/usr/bin:/bin"
}
