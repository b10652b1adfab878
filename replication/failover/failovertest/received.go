package failovertest

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ReceivedRows are the ids of the rows of Table that stand in the relay log of the host's
// server, in whole transactions: read from the files, without the server's word. What was
// applied before, the server may have removed.
func (h *Host) ReceivedRows() []int64 {
	h.t.Helper()
	return h.ReceivedRowsIn(h.Server.DataDir())
}

// ReceivedRowsIn is ReceivedRows with the folder of the relay log.
func (h *Host) ReceivedRowsIn(folder string) []int64 {
	h.t.Helper()
	program := "mariadb-binlog"
	if h.Server.Kind.IsMySQL() {
		program = "mysqlbinlog"
	}
	path, err := h.Server.Kind.Find(program)
	if err != nil {
		h.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "relay-bin.[0-9]*"))
	if err != nil || len(files) == 0 {
		return nil
	}
	slices.Sort(files)
	args := append([]string{"--no-defaults", "--base64-output=decode-rows", "--verbose"}, files...)
	// It fails at an end that was cut off, after all that is whole.
	out, _ := exec.CommandContext(h.t.Context(), path, args...).Output()
	return rowsOf(out)
}

// rowsOf are the ids of the committed rows of Table in what the program prints.
func rowsOf(printed []byte) []int64 {
	var committed, open []int64
	insert := "### INSERT INTO `" + strings.ReplaceAll(Table, ".", "`.`") + "`"
	ours := false
	lines := bufio.NewScanner(bytes.NewReader(printed))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "### ") && !strings.HasPrefix(line, "###  ") && line != "### SET":
			ours = line == insert // this statement
		case ours && strings.HasPrefix(line, "###   @1="):
			value, _, _ := strings.Cut(strings.TrimPrefix(line, "###   @1="), " ")
			if id, err := strconv.ParseInt(value, 10, 64); err == nil {
				open = append(open, id)
			}
		case strings.HasPrefix(line, "COMMIT"):
			committed, open = append(committed, open...), nil
		case strings.HasPrefix(line, "ROLLBACK"), strings.HasPrefix(line, "BEGIN"), strings.HasPrefix(line, "START"):
			open = nil
		}
	}
	return committed
}

// Missing are those of some rows that the host's server has not.
func (h *Host) Missing(ids []int64) []int64 {
	h.t.Helper()
	have := h.rows()
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return have[id] })
}
