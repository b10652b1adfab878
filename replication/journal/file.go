package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// version is the format of the files that are written.
const version = 1

// read reads a file of the journal into a value. It reports whether there is one.
func read(path string, into any) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var head struct {
		Version int `json:"version"`
	}
	if err == nil {
		err = json.Unmarshal(content, &head)
	}
	if err == nil && head.Version > version {
		return false, &finding.Problem{
			Code: "state",
			Text: fmt.Sprintf("%s was written by a later gtunnel: it has the version %d, and this one knows up to %d",
				path, head.Version, version),
			Cure: "use the later gtunnel on this host; or move the file away: the servers tell what else is known",
		}
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	return err == nil, err
}

// write writes a value, which JSON has as an object that is not empty, so that it
// survives a crash.
func write(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return err
	}
	head := fmt.Appendf(nil, "{\n  \"version\": %d,", version)
	return optionfile.WriteFile(path, append(append(head, content[1:]...), '\n'), 0o600)
}
