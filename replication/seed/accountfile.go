package seed

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// accountFiles are the names of the files with what makes accounts. A line with the hash
// of a password is as secret as the password: it goes to no terminal and no log.
const accountFiles = "account-*.sql"

// removeAccountFiles removes those of an earlier check: the accounts may be there by now.
func removeAccountFiles(directory string) error {
	if directory == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(directory, accountFiles))
	for _, file := range files {
		if e := os.Remove(file); err == nil {
			err = e
		}
	}
	return err
}

// writeAccountFile writes the lines that make an account to a file of the administrator's,
// and gives the command that runs them on the slave.
func (m *missingAccount) writeAccountFile(directory string, slave *facts.Facts) (command string, err error) {
	name := strings.Replace(accountFiles, "*", url.PathEscape(m.user+"@"+m.host), 1)
	// Whatever the client takes the terminal for.
	lines := slices.Concat([]string{"SET NAMES utf8mb4;"}, slave.WhileWritable(m.create...))
	path := filepath.Join(directory, name)
	if err := optionfile.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return "", err
	}
	client := "mysql"
	if slave.Version.AtLeast(server.MariaDB, 10, 4, 6) {
		client = "mariadb"
	}
	return client + " < " + finding.ShellWord(path), nil
}
