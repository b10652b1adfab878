package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gtunnel/gtunnel/replication/server"
)

// dumpStream carries a dump from the tool that makes it to the one that loads
// it. It costs one search for short lines; rows are never looked at.
type dumpStream struct {
	from  io.Reader
	meter *meter
	modes []string // values of sql_mode to leave out, which the slave does not know

	recode recodings // of names, definers and comments

	takes   map[string]bool // the tables that are due, and whether they are yet, of a part of a copy; nil: all
	strange string          // one that was not due
	inTurn  bool            // tables are made in turn, by a lock that others have too
	holds   bool            // that lock

	database string       // that the dump has come to
	body     bool         // within a routine, a trigger or an event, whose text may look like anything
	tables   int          // that it has come to, by now
	waits    atomic.Int32 // forDumper, forLoader, or neither
	client   string       // the character set of the client that made what it has come to
}

// Whom a stream waits for.
const (
	forDumper = 1 + iota
	forLoader
)

const (
	// streamBuffer is what one read takes at most: a quarter of a pipe's fill.
	streamBuffer = 256 << 10
	// longestLine is more than a line has that is looked at: a comment with the
	// longest name, or all of sql_mode.
	longestLine = 2 << 10
	// mostHead bounds a dump's head, which holds MySQL's set of GTIDs.
	mostHead = 1 << 20
)

// readHead reads the head of the dump, and gives its coordinates and the head
// as it may be loaded. What was read behind the head is left to copy; ended
// tells that nothing can be behind it.
func (d *dumpStream) readHead() (p server.Position, head []byte, ended bool, err error) {
	var read []byte
	buffer := make([]byte, 16<<10)
	d.waits.Store(forDumper)
	for {
		n, err := d.from.Read(buffer)
		read = append(read, buffer[:n]...)
		end := headEnd(read)
		if end < 0 && err == nil && len(read) < mostHead {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return server.Position{}, nil, false, fmt.Errorf("read the dump: %w", err)
		}
		if ended = end < 0 && err != nil; end < 0 {
			end = len(read)
		}
		d.waits.Store(0) // what comes is not taken yet: the tool may have to wait
		p, head = readHead(read[:end])
		d.from = io.MultiReader(bytes.NewReader(read[end:]), d.from)
		return p, head, ended, nil
	}
}

// copy hands the rest of the dump on, behind its head, and reports whether its
// end was that of a whole dump. Errors of to are as to gives them.
func (d *dumpStream) copy(ctx context.Context, head []byte, to io.Writer) (whole bool, err error) {
	buffer := make([]byte, longestLine+streamBuffer)
	d.from = io.MultiReader(bytes.NewReader(head), d.from)
	begun := 0      // the beginning of a line, which waits for its end
	var last []byte // what has passed of late
	for {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		d.waits.Store(forDumper) // and so until it has ended
		n, err := d.from.Read(buffer[begun:])
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return false, fmt.Errorf("read the dump: %w", err)
		}
		read := buffer[:begun+n]
		ready := read
		if complete := d.look(read); !ended {
			ready = read[:complete]
		}
		d.waits.Store(0)
		d.waits.Store(forLoader)
		if _, err := to.Write(ready); err != nil {
			return false, err
		}
		d.meter.bytes.Add(uint64(len(ready)))
		last = append(last, ready[max(0, len(ready)-longestLine):]...)
		last = last[max(0, len(last)-longestLine):]
		if ended {
			d.waits.Store(forDumper)
			return isWhole(last), nil
		}
		begun = copy(buffer, read[len(ready):])
	}
}

// isWhole reports whether a dump's end is the line that the tools write when
// nothing has gone wrong.
func isWhole(end []byte) bool {
	end = bytes.TrimRight(end, "\n")
	line := end[bytes.LastIndexByte(end, '\n')+1:]
	return bytes.HasPrefix(line, []byte("-- Dump completed"))
}

var (
	newline      = []byte("\n")
	databaseLine = []byte("-- Current Database: ")
	tableLine    = []byte("-- Table structure for table ")
	dataLine     = []byte("-- Dumping data for table ")
	modeLine     = []byte("/*!50003 SET sql_mode ")
)

// look finds the table to which the dump has come, and lines to amend, which
// begin behind the first byte of read. It gives how much of read may be handed
// on: what is behind may be the beginning of such a line.
func (d *dumpStream) look(read []byte) (complete int) {
	at := 0
	for {
		next := bytes.IndexByte(read[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
		rest := read[at:]
		if !bytes.HasPrefix(rest, databaseLine[:2]) && !bytes.HasPrefix(rest, modeLine[:2]) &&
			!bytes.HasPrefix(rest, bodyEnd[:2]) &&
			(len(d.recode) == 0 || len(rest) >= longestLine && !isCode(rest)) {
			continue
		}
		line, _, ended := bytes.Cut(rest, newline)
		if !ended && len(rest) < longestLine {
			break
		}
		d.lookAt(line[:min(len(line), longestLine)])
	}
	if len(read)-at < longestLine && at > 0 {
		return at - 1 // with the end of the line before it, by which it is found
	}
	return len(read)
}

// lookAt notes what a line tells of the dump, or amends it in its place.
func (d *dumpStream) lookAt(line []byte) {
	d.body = inBody(d.body, line)
	if len(d.modes) > 0 && bytes.HasPrefix(line, modeLine) { // also within DELIMITER, as an event's is
		dropModes(line, d.modes)
	} else if d.body {
		d.recodeLine(line)
	} else if name, ok := bytes.CutPrefix(line, databaseLine); ok {
		d.database = server.UnquoteName(string(name))
	} else if name, ok := bytes.CutPrefix(line, tableLine); ok && d.takes != nil {
		d.takeTable(line, d.database+"."+server.UnquoteName(string(name)))
	} else if name, ok := bytes.CutPrefix(line, dataLine); ok {
		d.tables++
		d.meter.begin(d.database + "." + server.UnquoteName(string(name)))
		d.endTurn(line)
	} else {
		d.recodeLine(line)
	}
}

// recodeLine amends the names, definers and comments of a line of code.
func (d *dumpStream) recodeLine(line []byte) {
	if len(d.recode) == 0 {
		return
	} else if set := clientLine.FindSubmatch(line); set != nil {
		d.client = string(set[1])
	} else if isCode(line) {
		d.recode.apply(line, d.client)
	}
}

// dropModes takes values out of a line that sets sql_mode, in its place: the
// line keeps its length by spaces at the end.
func dropModes(line []byte, modes []string) {
	before, quoted, found := bytes.Cut(line, []byte("'"))
	list, after, closed := bytes.Cut(quoted, []byte("'"))
	if !found || !closed {
		return
	}
	kept := slices.DeleteFunc(strings.Split(string(list), ","),
		func(mode string) bool { return slices.Contains(modes, mode) })
	text := fmt.Appendf(nil, "%s'%s'%s", before, strings.Join(kept, ","), after)
	for i := copy(line, text); i < len(line); i++ {
		line[i] = ' '
	}
}

// unknownModes are the values of a master's sql_mode that a slave refuses.
func unknownModes(master, slave server.Version) []string {
	switch {
	case master.Family == slave.Family && master.Family == server.MariaDB:
		return nil
	case slave.AtLeast(server.MySQL, 8, 0, 0):
		return append([]string{
			"NO_AUTO_CREATE_USER", "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS",
			"DB2", "MAXDB", "MSSQL", "MYSQL323", "MYSQL40", "ORACLE", "POSTGRESQL",
		}, mariaModes...)
	case slave.Family == server.MySQL:
		return mariaModes
	default:
		return []string{"TIME_TRUNCATE_FRACTIONAL"}
	}
}

// mariaModes are values of sql_mode that only MariaDB knows.
var mariaModes = []string{
	"IGNORE_BAD_TABLE_OPTIONS", "EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL",
}
