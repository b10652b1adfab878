package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication/seed"
)

// moments are a copy of 1 GB at 100 MB/s, told twice a second.
func moments() []seed.Progress {
	list := []seed.Progress{{Phase: seed.PhaseStart}}
	for n := uint64(0); n <= 1e9; n += 50e6 {
		list = append(list, seed.Progress{
			Phase: seed.PhaseCopy, Table: "db.t\x1b[2J", Bytes: n, EstimatedBytes: 1e9, Rate: 100e6,
			Left: time.Duration((1e9 - n) * 10),
		})
	}
	return append(list, seed.Progress{Phase: seed.PhaseLoad, Bytes: 1e9, EstimatedBytes: 1e9},
		seed.Progress{Phase: seed.PhaseEnd, Bytes: 1e9, EstimatedBytes: 1e9})
}

func TestProgressPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := &progressView{Progress: terminal.NewProgress(&out)}
		for _, p := range moments() {
			v.show(p)
			v.show(p) // nothing new
			time.Sleep(time.Second / 2)
		}
		v.End()
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
	})
}

func TestProgressPlainWhenSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := &progressView{Progress: terminal.NewProgress(&out)}
		for range 40 { // 20 s in which nothing moves
			v.show(seed.Progress{Phase: seed.PhaseCopy, Bytes: 1})
			time.Sleep(time.Second / 2)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines in 20 s:\n%s", n, out.String())
		}
	})
}

func TestProgressWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := &progressView{Progress: terminal.NewProgress(&out)}
		for range 60 { // 12 s
			v.wait("at bin.000001:4\x1b")
			time.Sleep(time.Second / 5)
		}
		if line := "waiting: at bin.000001:4?\n"; out.String() != line+line {
			t.Errorf("written was %q", out.String())
		}
	})
}
