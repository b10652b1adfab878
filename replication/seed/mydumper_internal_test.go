package seed

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestReadMetadata reads what several versions of mydumper write.
func TestReadMetadata(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want server.Position
	}{
		"0.10": {
			"Started dump at: 2026-11-26 04:49:48\nSHOW MASTER STATUS:\n\tLog: m-bin.000001\n\tPos: " +
				"1822466\n\tGTID:0-1-1825\n\nFinished dump at: 2026-11-26 04:49:48\n",
			server.Position{File: "m-bin.000001", Offset: 1822466, GTID: "0-1-1825"},
		},
		"0.10 of a slave": {
			"SHOW MASTER STATUS:\n\tLog: bin.000002\n\tPos: 5\n\tGTID:\n\nSHOW SLAVE STATUS:\n\tHost: h\n\tLog: " +
				"other.000009\n\tPos: 77\n\tGTID:0-1-3\n",
			server.Position{File: "bin.000002", Offset: 5, GTID: ""},
		},
		"0.10 of MySQL": {
			"SHOW MASTER STATUS:\n\tLog: binlog.000002\n\tPos: " +
				"197\n\tGTID:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7\n\n",
			server.Position{
				File: "binlog.000002", Offset: 197,
				GTID: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7",
			},
		},
		"0.16": {
			"# Started dump at: 2026-01-01 00:00:00\n[config]\nquote-character = BACKTICK\n\n[source]\n# Channel_Name = '' # " +
				"It can be use to setup replication FOR CHANNEL\nFile = \"binlog.000007\"\nPosition = " +
				"\"5047305\"\nExecuted_Gtid_Set = \"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5\"\n\n[`db`.`t`]\nrows = 5\n",
			server.Position{File: "binlog.000007", Offset: 5047305, GTID: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"},
		},
		"none": {"Started dump at: 2026-11-26 04:49:48\n\nFinished dump at: 2026-11-26 04:49:48\n", server.Position{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "metadata"), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := readMetadata(dir); err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
	if _, err := readMetadata(t.TempDir()); !finding.HasCode(err, "dump-cut") {
		t.Errorf("without a file: %v", err)
	}
}
