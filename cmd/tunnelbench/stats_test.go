package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   summary
	}{
		{[]float64{3}, summary{Median: 3, Min: 3, Max: 3}},
		{[]float64{4, 1}, summary{Median: 2.5, Min: 1, Max: 4}},
		{[]float64{9, 1, 5}, summary{Median: 5, Min: 1, Max: 9}},
		{[]float64{2, 8, 4, 6}, summary{Median: 5, Min: 2, Max: 8}},
	} {
		given := slices.Clone(c.values)
		if got := summarize(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
		if !slices.Equal(given, c.values) {
			t.Errorf("the values were changed to %v", c.values)
		}
	}
}

func TestPercentile(t *testing.T) {
	var times []time.Duration
	for n := range 100 {
		times = append(times, time.Duration(100-n))
	}
	for _, c := range []struct {
		p    float64
		want time.Duration
	}{{0, 1}, {0.5, 50}, {0.99, 99}, {0.991, 100}, {1, 100}} {
		if got := percentile(slices.Clone(times), c.p); got != c.want {
			t.Errorf("percentile %v: %d, want %d", c.p, got, c.want)
		}
	}
	if got := percentile([]time.Duration{7}, 0.99); got != 7 {
		t.Errorf("of one: %d", got)
	}
}

// TestRatios: each round is divided by the same round of the base; rounds that
// one of them lacks do not count.
func TestRatios(t *testing.T) {
	got := rounds{0: 10, 1: 30, 2: 8, 4: 1}.ratios(rounds{0: 5, 2: 2, 3: 1, 4: 0})
	if !slices.Equal(got, []float64{2, 4}) {
		t.Errorf("got %v, want 2 and 4", got)
	}
}

func TestRotate(t *testing.T) {
	first := map[string]int{}
	for round := range 6 {
		order := rotate([]string{"a", "b", "c"}, round)
		first[order[0]]++
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, []string{"a", "b", "c"}) {
			t.Errorf("round %d: %v", round, order)
		}
	}
	if first["a"] != 2 || first["b"] != 2 || first["c"] != 2 {
		t.Errorf("came first: %v, want each twice", first)
	}
}

func TestFormatValue(t *testing.T) {
	for value, want := range map[float64]string{
		1234.5: "1234", 99.96: "100.0", 12.34: "12.3", 1.234: "1.23",
		0.001: "0.00", -12.34: "-12.3",
	} {
		if got := formatValue(value); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	line := "42 (a (b) c) S 1 40 40 0 -1 4194304 100 0 0 0 5 6 12 30 20 0 1 0 100 1000 200"
	got, err := parseStat(line)
	if err != nil || got != (processStat{state: 'S', group: 40, children: 420 * time.Millisecond}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "42 (a) S 1", "42 a S 1 40 40 0 -1 4194304 100 0 0 0 5 6 12 30",
		strings.Replace(line, "40", "x", 1), strings.Replace(line, " 12 ", " x ", 1),
	} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestParsePss(t *testing.T) {
	got, err := parsePss([]byte("1000-2000 ---p 00000000 00:00 0 [rollup]\nRss:  1640 kB\nPss:   235 kB\nPss_Dirty: " +
		"112 kB\n"))
	if err != nil || got != 235*1024 {
		t.Errorf("%d, %v", got, err)
	}
	for _, bad := range []string{"", "Rss: 3 kB\n", "Pss: x kB\n"} {
		if got, err := parsePss([]byte(bad)); err == nil {
			t.Errorf("%q: %d", bad, got)
		}
	}
}

func TestIsListening(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:2EE0 00000000:0000 0A 00000000:00000000
   1: 00000000:2EE1 00000000:0000 0A 00000000:00000000
   2: 0100007F:2EE2 0100007F:2EE3 01 00000000:00000000
   3: 0100007F:2EE4 00000000:0000 0A 00000000:00000000
`
	for port, want := range map[int]bool{12000: true, 12001: true, 12002: false, 12003: false, 1: false} {
		if got, err := isListening(strings.NewReader(table), port); err != nil || got != want {
			t.Errorf("port %d: %v, %v, want %v", port, got, err, want)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if open, err := listens(os.Getpid(), port); err != nil || !open {
		t.Errorf("an open port: %v, %v", open, err)
	}
	listener.Close()
	if open, err := listens(os.Getpid(), port); err != nil || open {
		t.Errorf("a closed port: %v, %v", open, err)
	}
}

func TestFindVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Initializing inetd mode configuration\nstunnel 5.68 on x86_64-pc-linux-gnu platform\n": "5.68",
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n":                  "2.6.12-1+deb12u4",
		"nginx version: nginx/1.22.1\n":                 "1.22.1",
		"gtunnel v0.3.0-4-gabcdef0 linux/amd64\nmore\n": "0.3.0-4-gabcdef0",
		"something else\nand more\n":                    "something else",
	} {
		if got := findVersion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestValueOf(t *testing.T) {
	text := "processor : 0\nmodel name\t: AMD EPYC\nmodel name\t: other\nPRETTY_NAME=\"Debian\"\n"
	if got := valueOf(text, "model name", ":"); got != "AMD EPYC" {
		t.Errorf("model name: %q", got)
	}
	if got := valueOf(text, "PRETTY_NAME", "="); got != `"Debian"` {
		t.Errorf("PRETTY_NAME: %q", got)
	}
	if got := valueOf(text, "nothing", ":"); got != "" {
		t.Errorf("nothing: %q", got)
	}
}

// TestMatches: the comparison sees each changed, lost and repeated byte.
func TestMatches(t *testing.T) {
	const offset = 3*patternSize - 100
	data := bytes.Clone(patternAt(offset, 3*patternSize))
	if !matches(data, offset) || matches(data, offset+1) || matches(data[1:], offset) {
		t.Error("the data do not match at their own offset only")
	}
	for _, at := range []int{0, 99, 100, patternSize, len(data) - 1} {
		data[at] ^= 1
		if matches(data, offset) {
			t.Errorf("a change at %d goes unseen", at)
		}
		data[at] ^= 1
	}
}

// TestFlow: a flow that lost, changed or repeated bytes on its way is an error.
func TestFlow(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"whole":    func(b []byte) []byte { return b },
		"changed":  func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"lost":     func(b []byte) []byte { return b[1:] },
		"repeated": func(b []byte) []byte { return append(bytes.Clone(b[:1000]), b...) },
		"cut":      func(b []byte) []byte { return b[:len(b)-patternSize] },
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			f := &flow{ended: make(chan error, 1)}
			f.stopping.Store(true)
			go func() {
				defer far.Close()
				read, write := net.Pipe()
				go func() { _ = f.send(write); write.Close() }()
				data, _ := io.ReadAll(read)
				_, _ = far.Write(damage(data))
			}()
			_ = f.receive(near)
			near.Close()
			if err := <-f.ended; (err == nil) != (name == "whole") {
				t.Errorf("the verdict: %v", err)
			}
		})
	}
}

// TestProcess: the CPU time and memory of a process include what it started,
// and stop leaves nothing of that.
func TestProcess(t *testing.T) {
	word := mark(t)
	s := newStarter()
	defer s.close()
	p, err := s.start("test", filepath.Join(t.TempDir(), "output"), syscall.SIGKILL, "/bin/sh", "-c",
		"i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 60 & echo ready; wait")
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "shell with its program", func() (string, bool) {
		text, _ := os.ReadFile(p.output)
		return string(text), string(text) == "ready\n" && len(marked(t, word)) > 1
	})
	used, err := p.cpu()
	if err != nil || used <= 0 || used > 30*time.Second {
		t.Errorf("CPU time %v, %v", used, err)
	}
	if pss, err := p.memory(); err != nil || pss < 4096 {
		t.Errorf("memory %d, %v", pss, err)
	}
	if size, err := p.loaded(); err != nil || size < 4096 {
		t.Errorf("loaded %d, %v", size, err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if left := marked(t, word); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := p.cpu(); err == nil || !strings.Contains(err.Error(), "ready") {
		t.Errorf("the CPU time of an ended process: %v", err)
	}
}
