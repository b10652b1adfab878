package seed

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication/server"
)

// A dump that was made before may be loaded in two goes. It may be cut before each of its
// tables: whatever comes after, however much of it was loaded, begins by dropping what it makes.
// There, the loader is told to say that it has come so far: by a SELECT of a word that is
// another one in each load, so that nothing in the dump can say it. In a routine that looks
// like a dump nothing would answer: such a place is no cut.

// cuts reads a dump, leaves out what comes before a cut, and has the loader tell of the later
// ones.
type cuts struct {
	from *bufio.Reader
	skip int             // how many tables are left out, with all that comes before the next one
	has  map[string]bool // the tables, "database.table", that are there
	left func(n int)     // is told how many bytes are left out

	mu    sync.Mutex // guards names
	names []string   // of the cuts so far: each is the table that begins there

	word     string // by which the loader tells
	database string
	head     bool // nothing of a database has come yet
	body     bool // within a routine, a trigger or an event
	inLine   bool // what comes is not the beginning of a line
	pending  []byte
}

var (
	bodyBegin = []byte("DELIMITER ;;")
	bodyEnd   = []byte("DELIMITER ;")
)

// inBody reports whether what follows a line is within a routine, a trigger or an event,
// from whether the line is.
func inBody(body bool, line []byte) bool {
	if body {
		return !bytes.Equal(line, bodyEnd)
	}
	return bytes.HasPrefix(line, bodyBegin) // of an event it may be longer
}

// newCuts reads a dump from its beginning.
func newCuts(sql io.Reader) *cuts {
	return &cuts{from: bufio.NewReaderSize(sql, streamBuffer), word: "gtunnel-" + rand.Text(), head: true}
}

// Read gives what is to be loaded.
func (c *cuts) Read(b []byte) (int, error) {
	for len(c.pending) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// next makes the next line, or a piece of a long one, pending, unless it is left out.
func (c *cuts) next() error {
	line, err := c.from.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return err
	}
	begins := !c.inLine
	c.inLine = err != nil
	if begins && c.look(bytes.TrimRight(line, "\r\n")) {
		c.pending, err = c.begin(line)
		return err
	}
	if c.skip > 0 && !c.head && len(c.names) <= c.skip {
		c.left(len(line))
		return nil
	}
	c.pending = line
	return nil
}

// look reports whether a line is a cut.
func (c *cuts) look(line []byte) bool {
	c.body = inBody(c.body, line)
	switch {
	case c.body:
	case bytes.HasPrefix(line, databaseLine):
		c.head, c.database = false, server.UnquoteName(string(line[len(databaseLine):]))
	case bytes.HasPrefix(line, tableLine) && !c.head:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names = append(c.names, c.database+"."+server.UnquoteName(string(line[len(tableLine):])))
		return true
	}
	return false
}

// errNotLeft is that of a table which is said to be whole, and is not there.
var errNotLeft = errors.New("what a load that was cut off has left is not there any more")

// begin is what is loaded at a cut, before which all tables but the one of the cut are whole.
func (c *cuts) begin(line []byte) ([]byte, error) {
	whole := len(c.names) - 1
	switch {
	case whole < c.skip && !c.has[c.names[whole]]:
		return nil, errNotLeft
	case whole < c.skip:
		c.left(len(line))
		return nil, nil
	case whole == 0:
		return line, nil
	case whole == c.skip:
		name := server.QuoteName(c.database)
		return fmt.Appendf(nil, "%s%s\n--\n\nUSE %s;\n\n--\n%s", databaseLine, name, name, line), nil
	}
	return fmt.Appendf(nil, "SELECT '%s %d';\n%s", c.word, whole, line), nil
}

// confirmed gives, from what the loader says, how many tables are whole, and which one is next;
// 0: it says something else.
func (c *cuts) confirmed(said string) (whole int, next string) {
	number, ok := strings.CutPrefix(strings.TrimSpace(said), c.word+" ")
	n, err := strconv.Atoi(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok || err != nil || n < 1 || n >= len(c.names) {
		return 0, ""
	}
	return n, c.names[n]
}
