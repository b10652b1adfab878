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
		"full after it":             {[]int{0, 34, 0, plenty}, "1 lost: no space left on device\nli\n2 lost: no space left on device\nline 3\n", 3},
		"full again and again":      {[]int{0, plenty, 0, plenty}, "1 lost: no space left on device\nline 1\n1 lost: no space left on device\nline 3\n", 2},
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

// TestLinesThatFindTheQueueFull: a writer that blocks costs the lines that the
// queue has no room for; they are missing after those that it held.
func TestLinesThatFindTheQueueFull(t *testing.T) {
	d := &disk{room: 4 * queuedLog}
	d.mu.Lock() // nobody reads
	q := &logQueue{out: d, lostAs: func(lines uint64, reason string) []byte {
		return fmt.Appendf(nil, "%d lost: %s\n", lines, reason)
	}}
	line := strings.Repeat("x", 1023) + "\n"
	const lines = 3 * queuedLog / 1024
	for range lines {
		fmt.Fprint(q, line)
	}
	d.mu.Unlock()
	if err := q.Sync(); err != nil {
		t.Fatal(err)
	}
	text, said := strings.CutSuffix(d.text.String(), fmt.Sprintf("%d lost: the standard error took no lines\n", q.lost.Load()))
	if taken := strings.Count(text, line); !said || q.lost.Load() != lines-queuedLog/1024 || taken+int(q.lost.Load()) != lines {
		t.Errorf("%d of %d lines are there, and %d said to be lost", taken, lines, q.lost.Load())
	}
}
