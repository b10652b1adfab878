package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// optionGroups are the groups of option files that the command line clients of
// both families read. [mysqld], [server] and [mariadb] are the server's, whose
// user is another thing.
var optionGroups = []string{"client", "client-server", "client-mariadb", "mysql", "mariadb-client"}

// loginOptions are the options that say how to log in.
var loginOptions = []string{"host", "port", "socket", "user", "password"}

const (
	maxOptionFile  = 1 << 20 // bytes
	maxOptionDepth = 10      // of files that include others, as in the servers
)

// optionValue is the value of an option with the place that it comes from.
type optionValue struct {
	text string
	bare bool   // the option has no value at all: such a password is asked for
	file string // empty: not given
	line int
}

// given reports whether a file has the option.
func (v optionValue) given() bool { return v.file != "" }

// where is the place as file:line.
func (v optionValue) where() string { return fmt.Sprintf("%s:%d", v.file, v.line) }

// optionReader collects the login of option files. Later values replace earlier
// ones, as in the clients.
type optionReader map[string]optionValue

// defaultOptionFiles are those that every client reads, in order.
func (m *Main) defaultOptionFiles() []string {
	files := []string{"/etc/my.cnf", "/etc/mysql/my.cnf"}
	if home := m.Getenv("HOME"); home != "" {
		files = append(files, filepath.Join(home, ".my.cnf"))
	}
	return files
}

// readOptionFiles reads the login of files of which some may be missing.
func readOptionFiles(files []string) (optionReader, error) {
	r := optionReader{}
	for _, file := range files {
		if err := r.readOptional(file, 1); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readOptionFile reads the login of a file that a flag names, and no other.
func readOptionFile(flag, file string) (optionReader, error) {
	r := optionReader{}
	err := r.read(file, 1)
	if isAbsent(err) {
		return nil, &usage.Error{Where: flag, Err: err, Cure: "name an option file of MySQL that this user may read"}
	}
	return r, err
}

// readOptional passes over a file that is missing or may not be read, as the
// clients do.
func (r optionReader) readOptional(file string, depth int) error {
	err := r.read(file, depth)
	if isAbsent(err) {
		return nil
	}
	return err
}

// isAbsent reports whether a file itself is missing or may not be read; what is
// wrong in it is a usageError.
func isAbsent(err error) bool {
	return !usage.Is(err) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission))
}

func (r optionReader) read(file string, depth int) error {
	text, info, err := readSmallFile(file)
	if err != nil {
		return err
	}
	// The clients pass over such a file with a warning. It may name the server
	// that gets the password.
	if info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0 {
		return &usage.Error{
			Where:   file,
			Message: fmt.Sprintf("anybody can write this option file (mode %04o), so it is not believed", info.Mode().Perm()),
			Cure:    "chmod o-w " + file,
		}
	}
	options, err := optionfile.Parse(text)
	if err != nil {
		return optionFileError(file, err)
	}
	for _, o := range options {
		switch {
		case o.Key == optionfile.Include:
			err = r.include(file, o, depth, o.Value)
		case o.Key == optionfile.IncludeDir:
			var files []string
			if files, err = optionFilesIn(o.Value); err != nil {
				return &usage.Error{
					Where: fmt.Sprintf("%s:%d", file, o.Line), Err: err, Cure: "make the directory, or remove the line",
				}
			}
			err = r.include(file, o, depth, files...)
		case slices.Contains(optionGroups, o.Group) && slices.Contains(loginOptions, o.Key):
			if o.Key == "password" && o.Value != "" {
				err = checkPrivate(file, info)
			}
			r[o.Key] = optionValue{text: o.Value, bare: o.Bare, file: file, line: o.Line}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r optionReader) include(from string, o optionfile.Option, depth int, files ...string) error {
	if depth == maxOptionDepth {
		return &usage.Error{
			Where:   fmt.Sprintf("%s:%d", from, o.Line),
			Message: fmt.Sprintf("files include others more than %d deep", maxOptionDepth), Cure: "does one include itself?",
		}
	}
	for _, file := range files {
		if err := r.readOptional(file, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// optionFilesIn lists the option files of a directory in order.
func optionFilesIn(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	var files []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".cnf") {
			files = append(files, filepath.Join(directory, entry.Name()))
		}
	}
	return files, err
}

func optionFileError(file string, err error) error {
	if e, ok := errors.AsType[*optionfile.Error](err); ok {
		return &usage.Error{
			Where: fmt.Sprintf("%s:%d", file, e.Line), Message: e.Text,
			Cure: "it is read as MySQL's own programs read it: my_print_defaults --defaults-file=" + file + " client",
		}
	}
	return &usage.Error{Where: file, Err: err}
}

// readSmallFile reads an option file or a password file.
func readSmallFile(file string) (string, fs.FileInfo, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		return "", nil, &usage.Error{Where: file, Message: "is a directory", Cure: "name a file"}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxOptionFile+1))
	if err != nil {
		return "", nil, err
	}
	if len(text) > maxOptionFile {
		return "", nil, &usage.Error{
			Where: file, Message: fmt.Sprintf("is larger than %d KiB", maxOptionFile>>10), Cure: "is it the right file?",
		}
	}
	return string(text), info, nil
}

// checkPrivate refuses a file with a password that others can read.
func checkPrivate(file string, info fs.FileInfo) error {
	if !optionfile.IsShared(info) {
		return nil
	}
	return &usage.Error{
		Where:   file,
		Message: fmt.Sprintf("holds a password and can be used by others than its owner (mode %04o)", info.Mode().Perm()),
		Cure:    "chmod 0600 " + file,
	}
}

// readPassword reads a file whose only line is a password.
func readPassword(flag, file string) (server.Password, error) {
	text, info, err := readSmallFile(file)
	if err != nil {
		return server.Password{}, &usage.Error{
			Where: flag, Err: err, Cure: "write the password into a file of mode 0600: (umask 077; cat > FILE)",
		}
	}
	if err := checkPrivate(file, info); err != nil {
		return server.Password{}, &usage.Error{Where: flag, Err: err}
	}
	password := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case password == "":
		return server.Password{}, &usage.Error{
			Where: flag, Message: file + " is empty", Cure: "its first line is the password",
		}
	case strings.ContainsAny(password, "\n\x00"):
		return server.Password{}, &usage.Error{
			Where: flag, Message: file + " has more than one line",
			Cure: "a password is all that may be in it; option files go to --defaults-file",
		}
	}
	return server.NewPassword(password), nil
}
