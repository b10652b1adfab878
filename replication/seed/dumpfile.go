package seed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// DumpSource is where a dump comes from.
type DumpSource struct {
	From io.Reader // a file is read where it is; anything else is kept in the directory
	Name string    // to show

	// Directory is where a stream is kept while it is checked and loaded, in a file
	// without a name, which is gone when the process ends.
	Directory string
}

// DumpFile is a dump that was found whole. Its owner closes it.
type DumpFile struct {
	Name string
	Head DumpHead
	Tail DumpTail

	file       *os.File
	own        bool // the file is closed with it
	begin, end int64
}

// Open reads the head of a dump, has it accepted, reads all of it and checks that it is
// whole. Nothing but the head was used by then.
func (s *DumpSource) Open(
	ctx context.Context, accept func(*DumpHead) error, progress func(Progress),
) (d *DumpFile, err error) {
	d = &DumpFile{Name: s.Name}
	file, isFile := s.From.(*os.File)
	isFile = isFile && isRegular(file)
	from := s.From
	if isFile {
		d.file, from = file, io.NewSectionReader(file, 0, 1<<62)
	} else if file != nil {
		from = &patientReader{ctx: ctx, file: file}
	}
	buffered := bufio.NewReaderSize(from, streamBuffer)
	line, err := readDumpHead(buffered, s.Name)
	if err != nil {
		return nil, err
	}
	head, err := decodeHead(line, s.Name)
	if err != nil {
		return nil, err
	}
	if err := accept(head); err != nil {
		return nil, err
	}
	d.Head, d.begin = *head, int64(len(line))
	defer func() {
		if err != nil {
			d.Close()
			d = nil
		}
	}()
	meter := newMeter(nil)
	end := meter.show(ctx, progress)
	defer end()
	if !isFile {
		meter.enter(PhaseReceive)
		if err := d.keep(ctx, io.MultiReader(bytes.NewReader(line), buffered), s.Directory, meter); err != nil {
			return d, err
		}
	}
	meter.enter(PhaseVerify)
	return d, d.verify(ctx, meter)
}

// Close gives the file back; one that was only kept is gone then.
func (d *DumpFile) Close() {
	if d != nil && d.own {
		closeFiles(d.file)
	}
}

// keep writes a stream to a file without a name in a directory.
func (d *DumpFile) keep(ctx context.Context, from io.Reader, directory string, m *meter) error {
	if err := os.MkdirAll(directory, 0o700); err != nil { // as the journal makes it
		return fmt.Errorf("keep the dump: %w", err)
	}
	file, err := os.CreateTemp(directory, "dump-*")
	if err != nil {
		return fmt.Errorf("keep the dump: %w", err)
	}
	d.file, d.own = file, true
	if err := os.Remove(file.Name()); err != nil {
		return fmt.Errorf("keep the dump: %w", err)
	}
	to := &carefulWriter{file: file, directory: directory, on: finding.Slave, meter: m}
	if err := to.look(); err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{to}, from, make([]byte, streamBuffer))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		return p
	}
	if err != nil {
		return fmt.Errorf("keep the dump: %w", err)
	}
	return nil
}

// onlyWriter hides other methods than Write.
type onlyWriter struct{ io.Writer }

// verify reads all of the file, and holds it against its tail.
func (d *DumpFile) verify(ctx context.Context, m *meter) error {
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	d.end = info.Size() - tailSize
	frame := make([]byte, tailSize)
	if d.end < d.begin {
		return cutDump(d.Name)
	}
	if _, err := d.file.ReadAt(frame, d.end); err != nil {
		return fmt.Errorf("read %s: %w", d.Name, err)
	}
	tail := decodeTail(frame)
	if tail == nil {
		return cutDump(d.Name)
	}
	d.Tail = *tail
	sum := sha256.New()
	buffer := make([]byte, 1<<20)
	for from := io.NewSectionReader(d.file, 0, d.end); ; {
		n, err := from.Read(buffer)
		_, _ = sum.Write(buffer[:n]) // it never fails
		m.bytes.Add(uint64(n))       //nolint:gosec // what was read is not negative
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			if hex.EncodeToString(sum.Sum(nil)) != tail.SHA256 {
				return finding.New("", "dump-changed",
					"carry it here again, and compare sha256sum of both files; or make it anew on the master",
					"%s is not what was written on the master: its checksum is another one", d.Name)
			}
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", d.Name, err)
		}
	}
}

// sql gives the SQL of the dump. The caller closes it.
func (d *DumpFile) sql() (io.ReadCloser, error) {
	decoder, err := zstd.NewReader(io.NewSectionReader(d.file, d.begin, d.end-d.begin))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.Name, err)
	}
	return decoder.IOReadCloser(), nil
}

// readDumpHead reads the first line of what should be a dump, with its end.
func readDumpHead(from *bufio.Reader, name string) ([]byte, error) {
	begin, err := from.Peek(len(`{"gtunnel_dump":`))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(begin) == 0:
		return nil, finding.New("", "dump-cut",
			"what was to make it has failed: its own words are above; it runs on the master as gtunnel replication dump",
			"%s is empty", name)
	case !bytes.HasPrefix(begin, []byte(`{`)):
		return nil, noDump(name, begin)
	}
	var line []byte
	for {
		part, err := from.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF) && bytes.HasPrefix(line, []byte(`{"gtunnel_dump":`)):
			return nil, cutDump(name)
		case errors.Is(err, io.EOF), len(line) > mostDumpHead:
			return nil, noDump(name, line)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
}
