package seed

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

var (
	// rowsHead is a line at the head of mydumper's files, which asks for what myloader
	// does anyhow.
	rowsHead = []byte("/*!40014 SET FOREIGN_KEY_CHECKS=0*/;")
	// rowsMode is what takes its place: myloader's own sql_mode, and with it
	// ALLOW_INVALID_DATES, by their numbers, which are those of all servers.
	rowsMode = fmt.Appendf(nil, "SET SESSION sql_mode=%-*d;", len("/*!40014 SET FOREIGN_KEY_CHECKS=0*/;")-
		len("SET SESSION sql_mode=;"), 1<<19|1<<25)
)

// takeAnyDate has the files of a dump by mydumper loaded as they are, with dates that
// are none: myloader takes no option for it, and would load zeros.
func takeAnyDate(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := amendHead(path); err != nil {
			return err
		}
	}
	return nil
}

// amendHead amends the head of one file, in its place.
func amendHead(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer closeFiles(file)
	head := make([]byte, 1<<10)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF { //nolint:errorlint // ReadAt gives it as it is
		return err
	}
	if at := bytes.Index(head[:n], rowsHead); at >= 0 {
		_, err = file.WriteAt(rowsMode, int64(at))
		return err
	}
	return nil
}
