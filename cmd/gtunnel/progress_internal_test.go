package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/seed"
)

// moments are a copy of 1 GB at 100 MB/s, told twice a second.
func moments() []seed.Progress {
	list := []seed.Progress{{Phase: seed.PhaseStart}}
	for n := uint64(0); n <= 1e9; n += 50e6 {
		list = append(list, seed.Progress{
			Phase: seed.PhaseCopy, Table: "db.t\x1b[2J", Bytes: n, EstimatedBytes: 1e9, Rate: 100e6, Left: time.Duration((1e9 - n) * 10),
		})
	}
	return append(list, seed.Progress{Phase: seed.PhaseLoad, Bytes: 1e9, EstimatedBytes: 1e9},
		seed.Progress{Phase: seed.PhaseEnd, Bytes: 1e9, EstimatedBytes: 1e9})
}

func TestProgressPlain(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	v := &progressView{out: &out, now: func() time.Time { return now }}
	for _, p := range moments() {
		v.show(p)
		v.show(p) // nothing new
		now = now.Add(time.Second / 2)
	}
	v.end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(moments()) { // each is 5 % or another phase
		t.Errorf("%d lines of %d moments:\n%s", len(lines), len(moments()), out.String())
	}
	if want := " 50% of about 1.0 GB, 100.0 MB/s, 5s left  db.t?[2J"; lines[11] != want {
		t.Errorf("the line is %q, want %q", lines[11], want)
	}
	if want := "copied, 1.0 GB"; lines[len(lines)-1] != want {
		t.Errorf("the last line is %q", lines[len(lines)-1])
	}
}

func TestProgressPlainWhenSlow(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	v := &progressView{out: &out, now: func() time.Time { return now }}
	for range 40 { // 20 s in which nothing moves
		v.show(seed.Progress{Phase: seed.PhaseCopy, Bytes: 1})
		now = now.Add(time.Second / 2)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines in 20 s:\n%s", n, out.String())
	}
}

func TestProgressOnTerminal(t *testing.T) {
	var out bytes.Buffer
	v := &progressView{out: &out}
	for _, line := range []string{"a long line that is cut", "short"} {
		v.draw(line, 12)
	}
	v.end()
	if want := "\ra long line\rshort      \n"; out.String() != want {
		t.Errorf("drawn was %q, want %q", out.String(), want)
	}
}

func TestProgressWaits(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	v := &progressView{out: &out, now: func() time.Time { return now }}
	for range 60 { // 12 s
		v.wait("at bin.000001:4\x1b")
		now = now.Add(time.Second / 5)
	}
	if line := "waiting: at bin.000001:4?\n"; out.String() != line+line {
		t.Errorf("written was %q", out.String())
	}
}
