package main

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// disk takes room bytes and no more, as a full one does.
type disk struct {
	mu   sync.Mutex
	room int
	text strings.Builder
}

func (d *disk) Write(data []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(data), d.room)
	d.room -= n
	d.text.Write(data[:n])
	if n < len(data) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) setRoom(bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = bytes
}

// TestLostLines: whatever the disk has taken of a line, the lines after it
// stand alone, and how many are missing is said once where they are missing.
func TestLostLines(t *testing.T) {
	const plenty = 1 << 20
	line := func(i int) string { return fmt.Sprintf("line %d\n", i) } // of 7 bytes
	for name, test := range map[string]struct {
		room []int // before each of the lines
		want string
		lost uint64
	}{
		"never full":                {[]int{plenty, plenty}, "line 0\nline 1\n", 0},
		"full between lines":        {[]int{7, 0, plenty}, "line 0\n1 lost: no space left on device\nline 2\n", 1},
		"full in a line":            {[]int{7, 3, plenty}, "line 0\nlin\n1 lost: no space left on device\nline 2\n", 1},
		"full before the line feed": {[]int{6, plenty}, "line 0\n1 lost: no space left on device\nline 1\n", 1},
		"full for long":             {[]int{3, 0, 0, plenty}, "lin\n3 lost: no space left on device\nline 3\n", 3},
		"room for a line feed":      {[]int{3, 1, 0, plenty}, "lin\n3 lost: no space left on device\nline 3\n", 3},
		"full in what owns up":      {[]int{0, 4, plenty}, "1 lo\n2 lost: no space left on device\nline 2\n", 2},
		"full after it": {
			[]int{0, 34, 0, plenty}, "1 lost: no space left on device\nli\n2 lost: no space left on device\nline 3\n", 3,
		},
		"full again and again": {
			[]int{0, plenty, 0, plenty}, "1 lost: no space left on device\nline 1\n1 lost: no space left on device\nline 3\n", 2,
		},
	} {
		d := new(disk)
		q := &logQueue{out: d, lostAs: func(lines uint64, reason string) []byte {
			return fmt.Appendf(nil, "%d lost: %s\n", lines, reason)
		}}
		for i, room := range test.room {
			d.setRoom(room)
			fmt.Fprint(q, line(i))
			if err := q.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.text.String(); got != test.want || q.lost.Load() != test.lost {
			t.Errorf("%s: %d lost, want %d\n%q, want\n%q", name, q.lost.Load(), test.lost, got, test.want)
		}
	}
}

// moody fails some of its writes.
type moody struct {
	strings.Builder
	fails []bool // of the next writes; then none
}

func (m *moody) Write(data []byte) (int, error) {
	if len(m.fails) > 0 {
		fails := m.fails[0]
		m.fails = m.fails[1:]
		if fails {
			return 0, syscall.EIO
		}
	}
	return m.Builder.Write(data)
}

// TestLinesMissingInTheirPlace: no line is written where those before it are
// missing and that cannot be said; a queue that need not say it goes on.
func TestLinesMissingInTheirPlace(t *testing.T) {
	for want, lostAs := range map[string]func(lines uint64, reason string) []byte{
		"line 0\n2 lost: input/output error\nline 3\n": func(lines uint64, reason string) []byte {
			return fmt.Appendf(nil, "%d lost: %s\n", lines, reason)
		},
		"line 0\nline 3\n": nil,
	} {
		m := &moody{fails: []bool{false, true, true}}
		q := &logQueue{out: m, lostAs: lostAs}
		for i := range 4 {
			fmt.Fprintf(q, "line %d\n", i)
			if err := q.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.String(); got != want || q.lost.Load() != 2 {
			t.Errorf("%d lost, and %q, want %q", q.lost.Load(), got, want)
		}
	}
}

// slow is a disk whose reader has stopped until release is closed.
type slow struct {
	disk
	once    sync.Once
	reached chan struct{} // closed at the first write
	release chan struct{}
}

func (s *slow) Write(data []byte) (int, error) {
	s.once.Do(func() { close(s.reached) })
	<-s.release
	return s.disk.Write(data)
}

// TestLinesThatFindTheQueueFull: a writer that blocks costs the lines that the
// queue has no room for; they are missing after those that it held, whether
// they wait or are being written.
func TestLinesThatFindTheQueueFull(t *testing.T) {
	for name, sizes := range map[string][]int{
		"all are being written": {queuedLog},
		"others wait":           {1 << 10, queuedLog / 2, queuedLog/2 - 1<<10},
	} {
		s := &slow{disk: disk{room: 4 * queuedLog}, reached: make(chan struct{}), release: make(chan struct{})}
		q := &logQueue{out: s, lostAs: func(lines uint64, reason string) []byte {
			return fmt.Appendf(nil, "%d lost: %s\n", lines, reason)
		}}
		held := ""
		for i, size := range sizes {
			line := strings.Repeat("x", size-1) + "\n"
			held += line
			fmt.Fprint(q, line)
			if i == 0 {
				<-s.reached
			}
		}
		for range 5 {
			fmt.Fprint(q, "one more\n")
		}
		close(s.release)
		if err := q.Sync(); err != nil {
			t.Fatal(err)
		}
		if text := s.text.String(); text != held+"5 lost: it took no lines\n" || q.lost.Load() != 5 {
			t.Errorf("%s: %d lost, and the end is %q", name, q.lost.Load(), text[max(0, len(text)-100):])
		}
	}
}
