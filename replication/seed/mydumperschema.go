package seed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// schemaChanged is the code of a schema that was changed while its rows were copied.
const schemaChanged = "schema-changed"

// schemaFiles are the files of a schema, with what the dump tool is told to dump into
// each.
var schemaFiles = []struct {
	name string
	args []string
}{
	{"schema.sql", []string{"--no-data", "--skip-triggers", "--routines", "--events", "--add-drop-database"}},
	{"triggers.sql", []string{"--no-data", "--no-create-info", "--no-create-db", "--triggers"}},
}

// dumpSchema dumps all but the rows into files whose names begin with something, and
// gives a sum of them.
func (r *mydumperRun) dumpSchema(ctx context.Context, prefix string) (sum string, err error) {
	plain, databases := r.plainArguments(r.dumper), append([]string{"--databases", "--"}, r.databases()...)
	hash := sha256.New()
	for _, file := range schemaFiles {
		path := r.path(prefix + file.name)
		if err := r.dumpFile(ctx, path, slices.Concat(plain, file.args, databases)); err != nil {
			return "", err
		}
		if err := sumSchema(hash, path); err != nil {
			return "", err
		}
	}
	return string(hash.Sum(nil)), nil
}

// unsummed is what a dump of a schema says of the rows, or of itself: the next number
// of a table or a sequence, and when it was made.
var unsummed = regexp.MustCompile(`^-- Dump completed.*|^(?:SELECT|DO) SETVAL\(.*| AUTO_INCREMENT=\d+`)

// sumSchema adds a file to a sum, but for what changes with the rows.
func sumSchema(sum io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer closeFiles(file)
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if bytes.HasPrefix(line, []byte("-- D")) || bytes.Contains(line, []byte("SETVAL(")) ||
			bytes.Contains(line, []byte(" AUTO_INCREMENT=")) {
			line = unsummed.ReplaceAll(line, nil)
		}
		if _, err := sum.Write(line); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// dumpFile dumps into a file.
func (r *mydumperRun) dumpFile(ctx context.Context, path string, args []string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p, err := startTool(r.dumper, r.login(r.Master), args, nil, file)
	if err != nil {
		return err
	}
	defer p.stop()
	defer context.AfterFunc(ctx, p.stop)()
	r.watchHang(ctx, p, r.Master, nil)
	err = p.failure(finding.Master)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// loadFile loads a file that the dump tool has written.
func (r *mydumperRun) loadFile(ctx context.Context, name string) error {
	file, err := os.Open(r.path(name))
	if err != nil {
		return err
	}
	defer closeFiles(file)
	stream := r.newStream(file)
	_, head, _, err := stream.readHead()
	if err != nil {
		return err
	}
	return r.load(ctx, stream, head, nil)
}

func (r *mydumperRun) loadSchema(ctx context.Context) error { return r.loadFile(ctx, "schema.sql") }

func (r *mydumperRun) loadTriggers(ctx context.Context) error { return r.loadFile(ctx, "triggers.sql") }
