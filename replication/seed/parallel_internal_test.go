package seed

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestPartition: each table is in one part, tables that a tool may take for one another
// in the same, no part is empty, and the longest is no longer than it must be.
func TestPartition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(16, 3))
	for range 300 {
		tables := make([]object, 1+random.IntN(60))
		var largest, sum uint64
		for i := range tables {
			bytes := uint64(random.Int64N(1 << random.IntN(34)))
			tables[i] = object{database: "d", name: fmt.Sprint("t", i), bytes: bytes, fold: fmt.Sprint(random.IntN(80))}
			largest, sum = max(largest, bytes), sum+bytes
		}
		most, trip := 1+random.IntN(mostDumps), time.Duration(random.IntN(200))*time.Millisecond
		parts := partition(tables, most, trip)
		if len(parts) > most || len(parts) == 0 {
			t.Fatalf("%d parts, and %d at the most", len(parts), most)
		}
		in, folds := map[string]int{}, map[string]int{}
		for i, part := range parts {
			if len(part) == 0 {
				t.Fatalf("part %d of %d is empty", i, len(parts))
			}
			for _, table := range part {
				in[table.name]++
				if at, known := folds[table.fold]; known && at != i {
					t.Fatalf("%s is apart from one that looks the same", table)
				}
				folds[table.fold] = i
			}
		}
		for _, table := range tables {
			if in[table.name] != 1 {
				t.Fatalf("%s is in %d parts", table, in[table.name])
			}
		}
	}
	one := func(name string, bytes uint64) object {
		return object{database: "d", name: name, bytes: bytes, fold: name}
	}
	slow := partition([]object{one("a", 1), one("b", 8<<30), one("c", 1), one("d", 1)}, 2, 0)
	if len(slow) != 2 || len(slow[0]) != 1 || slow[0][0].name != "b" {
		t.Errorf("a slow table holds others up: %v", slow)
	}
}

// TestDumpsAtOnce: one on a short way, and no more than many on a long one.
func TestDumpsAtOnce(t *testing.T) {
	t.Parallel()
	for trip, want := range map[time.Duration]int{
		0: 1, time.Millisecond: 2, 20 * time.Millisecond: 7, 60 * time.Millisecond: 16, time.Second: 16,
	} {
		if got := dumpsAtOnce(trip); got != want {
			t.Errorf("%v: %d", trip, got)
		}
	}
}

// TestPartPassesOver: the tool of a part passes over all that is not in it, of its
// databases, however many and odd the names are.
func TestPartPassesOver(t *testing.T) {
	t.Parallel()
	all := []object{
		{database: "a", name: "one"},
		{database: "a", name: "t#w\"o"},
		{database: "b", name: "three"},
		{database: "a", name: "v", kind: "VIEW"},
	}
	p := newPart(tableArguments, nil, all, all[:1])
	text := p.tool(&tool{}, all).optionText(server.Login{Network: "tcp", Address: "127.0.0.1:3306"})
	if _, list, _ := strings.Cut(text, "[mysqldump]\n"); list != "ignore-table=\"a.t#w\\\"o\"\nignore-table=a.v\n" {
		t.Errorf("the option file is\n%s", text)
	}
	if got := p.dumpArguments([]string{"--quick"}); !slices.Equal(got,
		[]string{"--quick", "--triggers", "--no-create-db", "--databases", "--", "a"}) {
		t.Errorf("the arguments are %q", got)
	}
}

// TestTakeTables: a part's dump has each of its tables, and no other; tables are made in
// turn, by statements that are as long as the comments in whose place they are.
func TestTakeTables(t *testing.T) {
	t.Parallel()
	dump := func(names ...string) string {
		text := "\n-- Current Database: `d`\n"
		for _, name := range names {
			text += "--\n-- Table structure for table `" + name + "`\n--\nCREATE TABLE `" + name + "` (i INT);\n" +
				"--\n-- Dumping data for table `" + name + "`\n--\nINSERT INTO `" + name + "` VALUES (1);\n"
		}
		return text + "-- Dump completed"
	}
	for name, c := range map[string]struct {
		dump, missed string
	}{
		"all":         {dump("a", "b"), ""},
		"one is gone": {dump("a"), "d.b"},
		"one is new":  {dump("a", "c", "b"), "d.c"},
	} {
		s := &dumpStream{
			from: strings.NewReader(c.dump), meter: newMeter(nil), inTurn: true,
			takes: map[string]bool{"d.a": true, "d.b": true},
		}
		var loaded bytes.Buffer
		if _, err := s.copy(t.Context(), nil, &loaded); err != nil {
			t.Fatal(err)
		}
		err := s.missed()
		if (err == nil) != (c.missed == "") || err != nil && !strings.Contains(err.Error(), c.missed+" ") {
			t.Errorf("%s: %v", name, err)
		}
		text := loaded.String()
		if len(text) != len(c.dump) || strings.Count(text, "\n"+beginTurn) != len(s.takes)-strings.Count(c.missed, "b") ||
			strings.Count(text, "\n"+beginTurn) != strings.Count(text, "\n"+endTurn) ||
			strings.Index(text, beginTurn) > strings.Index(text, "CREATE") {
			t.Errorf("%s is loaded as\n%s", name, text)
		}
	}
}

// TestClientPackets finds the question for a snapshot in what a client says, compressed
// or not, and hands all on as it came.
func TestClientPackets(t *testing.T) {
	t.Parallel()
	packet := func(number byte, text string) []byte {
		return append([]byte{byte(len(text)), byte(len(text) >> 8), 0, number}, text...)
	}
	compress := func(zip func(io.Writer) io.WriteCloser) func(string) []byte {
		return func(text string) []byte {
			inner := packet(0, "\x03"+text)
			var zipped bytes.Buffer
			w := zip(&zipped)
			_, _ = w.Write(inner) // into memory
			_ = w.Close()
			n, length := zipped.Len(), len(inner)
			return append([]byte{byte(n), byte(n >> 8), 0, 0, byte(length), byte(length >> 8), 0}, zipped.Bytes()...)
		}
	}
	for name, c := range map[string]struct {
		capabilities uint32
		say          func(string) []byte
	}{
		"plain": {0, func(text string) []byte { return packet(0, "\x03"+text) }},
		"too short to compress": {compressZlib, func(text string) []byte {
			inner := packet(0, "\x03"+text)
			return append([]byte{byte(len(inner)), 0, 0, 0, 0, 0, 0}, inner...)
		}},
		"with attributes": {attributes, func(text string) []byte { return packet(0, "\x03\x00\x01"+text) }},
		"zlib":            {compressZlib, compress(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })},
		"zstd":            {compressZstd, compress(func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z })},
	} {
		const snapshot = "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */"
		greeting := binary.LittleEndian.AppendUint32(nil, c.capabilities|1)
		all := slices.Concat(packet(1, string(greeting)), packet(3, "\xff\xff\xff\xffpassword"),
			c.say("SET NAMES utf8mb4"), c.say(snapshot))
		packets := clientPackets{from: bytes.NewReader(all)}
		var passed []byte
		var said []string
		for {
			packet, statement, err := packets.next()
			if err != nil {
				break
			}
			passed = append(passed, packet...)
			if statement != "" {
				said = append(said, statement)
			}
		}
		if !bytes.Equal(passed, all) || !slices.Equal(said, []string{"SET NAMES utf8mb4", snapshot}) {
			t.Errorf("%s: %q", name, said)
		}
	}
}
