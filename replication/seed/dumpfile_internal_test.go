package seed

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

const dumpedSQL = "CREATE DATABASE voms;\n-- Dump completed\n"

// newDump makes a dump as WriteDump does.
func newDump(t testing.TB, format int) []byte {
	t.Helper()
	head := DumpHead{
		Format: format, Program: "9.9", Begun: time.Unix(1e9, 0).UTC(), Host: "server1", Family: server.MariaDB,
		Version: "MariaDB 10.11.6", ServerID: 1, Databases: []string{"voms"},
		Start: server.Position{File: "mysql-bin.000007", Offset: 4711},
	}
	line, err := head.encode()
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.NewBuffer(line)
	compressed, err := zstd.NewWriter(content)
	if err == nil {
		_, err = compressed.Write([]byte(dumpedSQL))
	}
	if err = errors.Join(err, compressed.Close()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content.Bytes())
	frame, err := (&DumpTail{Bytes: uint64(len(dumpedSQL)), SHA256: hex.EncodeToString(sum[:])}).encode()
	if err != nil {
		t.Fatal(err)
	}
	return append(content.Bytes(), frame...)
}

// open opens a content as a dump, of a file and of a stream, which must come to the same.
func open(t *testing.T, content []byte) (sql string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	go func() {
		_, _ = write.Write(content) // what is refused is not read to its end
		_ = write.Close()
	}()
	directory := t.TempDir()
	var all [2]string
	var errs [2]error
	for i, from := range []io.Reader{file, read} {
		source := &DumpSource{From: from, Name: "it", Directory: directory}
		d, err := source.Open(t.Context(), func(*DumpHead) error { return nil }, nil)
		if errs[i] = err; err != nil {
			continue
		}
		sql, err := d.sql()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(sql)
		if err != nil {
			t.Fatal(err)
		}
		_ = sql.Close()
		d.Close()
		all[i] = string(text)
	}
	if all[0] != all[1] || (errs[0] == nil) != (errs[1] == nil) || errs[0] != nil && errs[0].Error() != errs[1].Error() {
		t.Errorf("of a file it gives %q, %v, and of a stream %q, %v", all[0], errs[0], all[1], errs[1])
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
		t.Errorf("%v were left of a stream: %v", left, err)
	}
	return all[0], errs[0]
}

// TestDumpIsRead reads a whole dump.
func TestDumpIsRead(t *testing.T) {
	sql, err := open(t, newDump(t, dumpFormat))
	if sql != dumpedSQL || err != nil {
		t.Errorf("it gives %q, %v", sql, err)
	}
}

// TestDumpIsZstd: whoever has no gtunnel reads it by zstd, without its first line.
func TestDumpIsZstd(t *testing.T) {
	_, rest, _ := bytes.Cut(newDump(t, dumpFormat), newline)
	decoder, err := zstd.NewReader(bytes.NewReader(rest))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	if sql, err := io.ReadAll(decoder); string(sql) != dumpedSQL || err != nil {
		t.Errorf("it gives %q, %v", sql, err)
	}
}

// TestDumpIsRefused: what is no whole dump, and what is said of it.
func TestDumpIsRefused(t *testing.T) {
	whole := newDump(t, dumpFormat)
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write(whole) // into memory
	_ = zip.Close()
	for name, c := range map[string]struct {
		content     []byte
		code, words string
	}{
		"nothing":      {nil, "dump-cut", "is empty"},
		"gzip":         {zipped.Bytes(), "no-dump", "gzip"},
		"SQL":          {[]byte("-- MariaDB dump 10.19\n--\nCREATE DATABASE voms;\n"), "no-dump", "a dump tool"},
		"short SQL":    {[]byte("-- M"), "no-dump", "a dump tool"},
		"other JSON":   {[]byte("{\n  \"gtunnel_hand_over\": 1\n}\n"), "no-dump", "its first line"},
		"half JSON":    {[]byte("{}"), "no-dump", "its first line"},
		"zstd alone":   {whole[bytes.IndexByte(whole, '\n')+1:], "no-dump", "lacks its first line"},
		"a newer one":  {newDump(t, dumpFormat+1), "dump-format", "made by gtunnel 9.9"},
		"more behind":  {append(bytes.Clone(whole), 'x'), "dump-cut", "cut short"},
		"twice":        {append(bytes.Clone(whole), whole...), "dump-changed", "checksum"},
		"a long line":  {append([]byte("{"), bytes.Repeat([]byte("x"), mostDumpHead+1)...), "no-dump", "its first line"},
		"binary zeros": {make([]byte, 4096), "no-dump", "begins otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, c.content)
			p, ok := errors.AsType[*finding.Problem](err)
			if !ok || p.Code != c.code || !strings.Contains(p.Text, c.words) || p.Cure == "" {
				t.Errorf("it gives %v, want the code %s and %q, with a cure", err, c.code, c.words)
			}
		})
	}
}

// TestEveryByteOfADumpCounts cuts a dump at each place, and changes each of its bytes.
func TestEveryByteOfADumpCounts(t *testing.T) {
	whole := newDump(t, dumpFormat)
	for at := range whole {
		if _, err := openFile(t, whole[:at]); err == nil {
			t.Errorf("cut off at %d of %d it is taken for whole", at, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		d, err := openFile(t, changed)
		// The tail is filled up with what has no meaning, and its counts are there to be shown.
		if err == nil && at < len(whole)-tailSize {
			t.Errorf("with the byte %d of %d changed it is taken for whole: %+v", at, len(whole), d.Head)
		}
	}
}

// openFile opens a content as the dump of a file.
func openFile(t *testing.T, content []byte) (*DumpFile, error) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	return (&DumpSource{From: file, Name: "it"}).Open(t.Context(), func(*DumpHead) error { return nil }, nil)
}

// TestDumpIsAcceptedFirst: what is not accepted by its head is not waited for.
func TestDumpIsAcceptedFirst(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close() // at the end: no end comes before
	line, _, _ := bytes.Cut(newDump(t, dumpFormat), newline)
	if _, err := write.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("of another")
	_, err = (&DumpSource{From: read, Name: "it", Directory: t.TempDir()}).Open(t.Context(),
		func(*DumpHead) error { return refusal }, nil)
	if !errors.Is(err, refusal) {
		t.Errorf("it gives %v", err)
	}
}

// TestDumpEndsWithContext: a stream that says nothing is not waited for without end.
func TestDumpEndsWithContext(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	time.AfterFunc(50*time.Millisecond, func() { cancel(stopped) })
	_, err = (&DumpSource{From: read, Name: "it"}).Open(ctx, func(*DumpHead) error { return nil }, nil)
	if !errors.Is(err, stopped) {
		t.Errorf("it gives %v", err)
	}
}

// TestDumpTo: a file is there whole or not at all, for its owner alone.
func TestDumpTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path+".part", []byte("of a run that was killed"), 0o644); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	err := DumpTo(path, func(to io.Writer) error {
		_, _ = to.Write([]byte("half")) // what matters is what is left
		if finding.HasCode(DumpTo(path, func(io.Writer) error { return nil }), "busy") {
			return failed
		}
		return nil
	})
	if !errors.Is(err, failed) {
		t.Errorf("it gives %v, and a second one at the same time should be refused", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("%v were left: %v", left, err)
	}
	if err := DumpTo(path, func(to io.Writer) error { _, err := to.Write([]byte("whole")); return err }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	content, readErr := os.ReadFile(path)
	if err != nil || info.Mode() != 0o600 || string(content) != "whole" {
		t.Errorf("the file is %v %q, %v", info, content, errors.Join(err, readErr))
	}
}

// TestDumpWithoutRoom writes to a device that is full.
func TestDumpWithoutRoom(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	w := &carefulWriter{file: full, directory: "/dev", on: finding.Master}
	if _, err := w.Write([]byte("x")); !finding.HasCode(err, "no-room") {
		t.Errorf("it gives %v", err)
	}
}

// FuzzDumpHead reads heads and tails that somebody may have made.
func FuzzDumpHead(f *testing.F) {
	whole := newDump(f, dumpFormat)
	f.Add(whole[:bytes.IndexByte(whole, '\n')+1])
	f.Add(whole[len(whole)-tailSize:])
	f.Fuzz(func(t *testing.T, text []byte) {
		if tail := decodeTail(text); tail != nil && tail.SHA256 == "" {
			t.Error("a tail without a checksum")
		}
		head, err := decodeHead(text, "it")
		if (err == nil) != (head != nil) {
			t.Errorf("%v, %v", head, err)
		}
		if head != nil {
			if again, err := head.encode(); err != nil || len(again) == 0 {
				t.Errorf("it cannot be written again: %v", err)
			}
		}
	})
}
