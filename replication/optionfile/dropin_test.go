package optionfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// TestDropInFile reads back what was written, and leaves a file of others alone.
func TestDropInFile(t *testing.T) {
	directory := t.TempDir()
	d, err := optionfile.ReadDropIn(directory)
	if err != nil || len(d.Settings) > 0 {
		t.Fatalf("where there is none: %+v, %v", d, err)
	}
	d = d.With(optionfile.Setting{Name: "replicate_wild_do_table", Value: "DB\\_1.%\nvoms.%"},
		optionfile.Setting{Name: "server_id", Value: "2"})
	if err := optionfile.WriteFile(d.Path, []byte(d.Content()), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := optionfile.ReadDropIn(directory)
	if err != nil || !again.Equal(d) || again.Path != d.Path {
		t.Errorf("it was read as %+v, %v", again, err)
	}
	if err := os.WriteFile(d.Path, []byte("[mysqld]\nserver_id=7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := optionfile.ReadDropIn(directory); !finding.HasCode(err, "foreign-file") {
		t.Errorf("another's file: %v", err)
	}
	err = optionfile.WriteFile(filepath.Join(directory, "none", "file"), nil, 0o644)
	if err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("in a directory that is not there: %v", err)
	}
}
