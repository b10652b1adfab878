package optionfile_test

import (
	"reflect"
	"testing"

	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// TestWithout: settings are set, replaced and taken away, and what the file says is read
// again; a drop-in that another is made of stays as it is.
func TestWithout(t *testing.T) {
	directory := t.TempDir()
	empty, err := optionfile.ReadDropIn(directory)
	if err != nil {
		t.Fatal(err)
	}
	slave := empty.With(
		optionfile.Setting{Name: "read_only", Value: "ON"},
		optionfile.Setting{Name: "replicate_wild_do_table", Value: "DB\\_1.%\nvoms.%"},
		optionfile.Setting{Name: "server_id", Value: "2"},
	)
	if err := optionfile.WriteFile(slave.Path, []byte(slave.Content()), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := optionfile.ReadDropIn(directory)
	if err != nil || !reflect.DeepEqual(read, slave) {
		t.Fatalf("the file says %+v, %v, want %+v", read, err, slave)
	}
	master := slave.Without("replicate_wild_do_table", "read_only", "log_bin")
	want := []optionfile.Setting{{Name: "server_id", Value: "2"}}
	if !reflect.DeepEqual(master.Settings, want) || master.Path != slave.Path {
		t.Errorf("without the slave's settings it is %+v", master)
	}
	if !reflect.DeepEqual(read, slave) || !master.With(slave.Settings...).Equal(slave) || !slave.Has("read_only") ||
		master.Has("read_only") {
		t.Errorf("it was changed to %+v", slave)
	}
	var none *optionfile.DropIn
	if got := none.Without("server_id"); len(got.Settings) != 0 {
		t.Errorf("of none it is %+v", got)
	}
}
