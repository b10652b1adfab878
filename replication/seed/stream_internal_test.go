package seed

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gtunnel/gtunnel/replication/server"
)

// heads are the coordinates as the tools of many versions write them.
var heads = map[string]struct {
	text string
	want server.Position
}{
	"mariadb-dump 10.11 --gtid": {
		"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\n" +
			"-- CHANGE MASTER TO MASTER_USE_GTID=slave_pos;\n\n-- CHANGE MASTER TO MASTER_LOG_FILE='m-bin.000001', " +
			"MASTER_LOG_POS=726;\n",
		server.Position{File: "m-bin.000001", Offset: 726},
	},
	"mysqldump 5.7": {
		"-- MySQL dump 10.13  Distrib 5.7.42, for Linux (x86_64)\nSET @@SESSION.SQL_LOG_BIN= 0;\n" +
			"SET @@GLOBAL.GTID_PURGED='3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n" +
			"4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7:9';\n\n" +
			"-- CHANGE MASTER TO MASTER_LOG_FILE='mysql-bin.000002', MASTER_LOG_POS=4294967300;\n",
		server.Position{
			File: "mysql-bin.000002", Offset: 4294967300,
			GTID: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7:9",
		},
	},
	"mysqldump 8.0": {
		"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';\n" +
			"-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000002', MASTER_LOG_POS=157;\n",
		server.Position{File: "binlog.000002", Offset: 157, GTID: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"},
	},
	"mysqldump 9.7": {
		"/* SET @@GLOBAL.GTID_PURGED='+bf72b77c-e950-11f1-a60c-02fc00000001:1-11:tag:1-3';*/\n\n" +
			"-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='binlog.000001', SOURCE_LOG_POS=3250;\n",
		server.Position{File: "binlog.000001", Offset: 3250, GTID: "bf72b77c-e950-11f1-a60c-02fc00000001:1-11:tag:1-3"},
	},
	"none": {"-- MySQL dump 10.13\n", server.Position{}},
}

// bodyText is what follows a head: two databases, long and short lines, text that
// looks like a comment, and lines of sql_mode.
func bodyText(modes string) string {
	return "\n--\n-- Current Database: `odd``db`\n--\n\nCREATE DATABASE `odd``db`;\nUSE `odd``db`;\n" +
		"--\n-- Dumping data for table `a b`\n--\nINSERT INTO `a b` VALUES (1,'" + strings.Repeat("x", 10_000) +
		"'),\n(2,'y');\n" +
		"/*!50003 SET sql_mode              = '" + modes + "' */ ;\n" +
		"CREATE PROCEDURE p()\nBEGIN\n-- Dumping data for table `no such`\nEND ;;\n" +
		"--\n-- Current Database: `two`\n--\nUSE `two`;\n-- Dumping data for table `t`\nINSERT INTO `t` VALUES\n(1),\n(2);\n"
}

func newTestStream(from io.Reader) *dumpStream {
	return &dumpStream{from: from, meter: newMeter(map[string]uint64{"odd`db.a b": 1, "two.t": 1})}
}

func TestStreamReadsCoordinates(t *testing.T) {
	for name, head := range heads {
		for width, reader := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
			"data with EOF": iotest.DataErrReader,
		} {
			t.Run(name+" "+width, func(t *testing.T) {
				body := bodyText("ANSI") + "-- Dump completed on 2026-01-01\n"
				d := newTestStream(reader(strings.NewReader(head.text + body)))
				got, kept, ended, err := d.readHead()
				if err != nil || got != head.want || ended {
					t.Fatalf("readHead gave %+v, ended %v, %v; want %+v", got, ended, err, head.want)
				}
				var out bytes.Buffer
				whole, err := d.copy(t.Context(), kept, &out)
				if err != nil || !whole {
					t.Fatalf("copy: whole %v, %v", whole, err)
				}
				if strings.Contains(out.String(), "GTID_PURGED") || strings.Contains(out.String(), "sandbox") {
					t.Errorf("what must not be loaded has passed:\n%s", out.String()[:300])
				}
				if !strings.HasSuffix(out.String(), body) {
					t.Error("the dump behind its head has changed")
				}
				if table := d.meter.table.Load().name; table != "two.t" {
					t.Errorf("the stream came to table %q last", table)
				}
			})
		}
	}
}

func TestStreamWithoutChanges(t *testing.T) {
	d := newTestStream(strings.NewReader("mysqldump has begun\n"))
	if _, _, ended, err := d.readHead(); !ended || err != nil {
		t.Errorf("ended %v, %v", ended, err)
	}
}

func TestStreamNoticesCut(t *testing.T) {
	whole := bodyText("ANSI") + "-- Dump completed\n"
	for cut := 1; cut < len(whole); cut += 97 {
		d := newTestStream(strings.NewReader(whole[:len(whole)-cut]))
		said, err := d.copy(t.Context(), nil, io.Discard)
		if err != nil || said != (cut <= 1) {
			t.Errorf("cut by %d: whole %v, %v", cut, said, err)
		}
	}
}

func TestStreamReadError(t *testing.T) {
	failed := fmt.Errorf("the disk is wet")
	d := newTestStream(io.MultiReader(strings.NewReader(bodyText("")), iotest.ErrReader(failed)))
	if _, err := d.copy(t.Context(), nil, io.Discard); err == nil || !strings.Contains(err.Error(), failed.Error()) {
		t.Errorf("the error is %v", err)
	}
}

func TestStreamDropsUnknownModes(t *testing.T) {
	before := bodyText("STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION")
	after := bodyText("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION")
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
	} {
		d := newTestStream(reader(strings.NewReader(before)))
		d.modes = unknownModes(server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 19},
			server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0})
		var out bytes.Buffer
		if _, err := d.copy(t.Context(), nil, &out); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(out.String(), strings.Repeat(" ", len(before)-len(after))+"\n", "\n"); got != after {
			t.Errorf("%s: got\n%s", name, out.String())
		}
	}
}

// dumpLike makes a dump of about a size, with a row in each line as MariaDB's
// tool writes them.
func dumpLike(size int) []byte {
	var b bytes.Buffer
	b.WriteString(heads["mariadb-dump 10.11 --gtid"].text)
	row := ",\n(1234567,501234,'" + strings.Repeat("83868641912-", 10) +
		"','67847967377-48000963322-62604785301-91415491898-96926520291')"
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b,
			"-- Current Database: `d`\nUSE `d`;\n--\n-- Dumping data for table `sbtest%d`\n--\nINSERT INTO `sbtest%d` "+
				"VALUES\n(1)", i, i)
		for range 4000 {
			b.WriteString(row)
		}
		b.WriteString(";\n")
	}
	b.WriteString("-- Dump completed\n")
	return b.Bytes()
}

func BenchmarkStream(b *testing.B) {
	dump := dumpLike(64 << 20)
	b.SetBytes(int64(len(dump)))
	b.ReportAllocs()
	for b.Loop() {
		d := newTestStream(bytes.NewReader(dump))
		_, head, _, err := d.readHead()
		if err != nil {
			b.Fatal(err)
		}
		if whole, err := d.copy(b.Context(), head, io.Discard); err != nil || !whole {
			b.Fatal(whole, err)
		}
	}
}
