package server

import (
	"maps"
	"reflect"
	"testing"
	"time"
)

// TestNewColumns: what a newer server tells besides is passed over, and changes nothing
// that is known.
func TestNewColumns(t *testing.T) {
	known := Record{
		"connection_name": "", "master_host": "127.0.0.1", "master_port": "3307", "slave_io_running": "Yes",
		"slave_sql_running": "Yes", "master_log_file": "bin.000007", "read_master_log_pos": "4711", "using_gtid": "Slave_Pos",
		"connect_retry": "10", "replicate_wild_do_table": "voms.%",
	}
	before := newSlaveStatus(known)
	maps.Copy(known, Record{
		"connects_tried": "3", "replicate_something_new": "on", "slave_hovercraft": "full", "master_demote_to_slave": "Yes",
	})
	if after := newSlaveStatus(known); !reflect.DeepEqual(before, after) {
		t.Errorf("it was %+v, and with new columns is %+v", before, after)
	}
	known["master_retry_count"] = "100000" // MariaDB has one of its own by now
	if s := newSlaveStatus(known); s.RetryCount != 100000 || s.ConnectRetry != 10*time.Second {
		t.Errorf("it is %+v", s)
	}
}

// TestFileNumbers: the files of a binary log have an order, in InnoDB too.
func TestFileNumbers(t *testing.T) {
	for _, order := range [][2]string{
		{"mysql-bin.000009", "mysql-bin.000010"},
		{"host-1.example-bin.999999", "host-1.example-bin.1000000"},
		{"binlog-000009.ibb", "binlog-000010.ibb"},
		{"binlog-999999.ibb", "binlog-1000000.ibb"},
	} {
		first, second := Position{File: order[0], Offset: 99}, Position{File: order[1], Offset: 4}
		if !first.Before(second) || second.Before(first) {
			t.Errorf("%s and %s have no order", first, second)
		}
	}
}
