package terminal_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
)

func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := terminal.NewTable(&out)
	fmt.Fprintf(table, "equal\tvoms.usr\t1 row\t16 kB\n\t  a long line below it that makes nothing wide\n")
	fmt.Fprintf(table, "differs\t数据库.表\t20 rows\t0 B\n\nthe end\na\tb\n")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "equal    voms.usr   1 row    16 kB\n" +
		"           a long line below it that makes nothing wide\n" +
		"differs  数据库.表  20 rows  0 B\n\nthe end\na  b\n"
	if got := out.String(); got != want {
		t.Errorf("the table is\n%s, want\n%s", got, want)
	}
}
