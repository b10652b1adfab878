package journal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestFilesOfOtherVersions: a file of a time before the version is read, one of a later
// version refused with what to do, and each that is written tells its version.
func TestFilesOfOtherVersions(t *testing.T) {
	directory := t.TempDir()
	compare, repair := NoteFiles(directory, 2)
	packets := PacketFile(directory, 2)
	state := filepath.Join(directory, stateName)
	readAll := func() (*State, Notes, error) {
		f, err := OpenState(t.Context(), directory)
		if err != nil {
			return nil, Notes{}, err
		}
		defer f.Close()
		notes, err := ReadNotes(directory, 2)
		return &f.State, notes, err
	}
	put := func(head string) {
		t.Helper()
		for path, text := range map[string]string{
			state:           `{` + head + `"slave": "x", "stage": "seeded", "start": {"file": "bin.000007", "position": 4}}`,
			string(compare): `{` + head + `"began": "2026-07-01T12:00:00Z"}`,
			string(repair):  `{` + head + `"began": "2026-07-01T12:00:00Z", "tables": ["d.t"]}`,
			string(packets): `{` + head + `"began": "2026-07-01T12:00:00Z", "max_allowed_packet": 16777216}`,
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, head := range []string{"", `"version": 1, `, `"version": 1, "term": 7, `} {
		put(head)
		s, notes, err := readAll()
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		if s.Stage != StageSeeded || notes.Comparison == nil || notes.Repair == nil || notes.Repair.Tables[0] != "d.t" ||
			notes.Packets == nil || notes.Packets.MaxAllowedPacket != 16<<20 {
			t.Errorf("%s: read are %+v, %+v", head, s, notes)
		}
	}
	put(`"version": 2, `)
	_, _, err := readAll()
	if !finding.HasCode(err, "state") || !strings.Contains(err.Error(), "later gtunnel: it has the version 2") {
		t.Errorf("a later state: %v", err)
	}
	if _, err := ReadNote[RepairNote](repair); !finding.HasCode(err, "state") {
		t.Errorf("a later note: %v", err)
	}

	put("")
	mustTellVersion(t, directory, repair)
}

// mustTellVersion writes the state and a note of a repair, and wants to find the version
// in both.
func mustTellVersion(t *testing.T, directory string, repair NoteFile) {
	t.Helper()
	f, err := OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if err := repair.Write(RepairNote{Tables: []string{"d.t"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(directory, stateName), string(repair)} {
		content, err := os.ReadFile(path)
		var head struct{ Version int }
		if err == nil {
			err = json.Unmarshal(content, &head)
		}
		if err != nil || head.Version != version || !strings.HasPrefix(string(content), "{\n  \"version\": 1,\n  \"") {
			t.Errorf("%s begins %.40q, %v", path, content, err)
		}
	}
}
