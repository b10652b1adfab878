package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests run this binary as tunnelbench: as an end of the relay pair, as a
// flood, and whole where a signal ends it.
func TestMain(m *testing.M) {
	if os.Getenv("TUNNELBENCH_MAIN") != "" || len(os.Args) > 1 && (os.Args[1] == "relay" || os.Args[1] == "attack") {
		main()
		return
	}
	os.Exit(m.Run())
}

// measures leaves a test out of a short run: it keeps the processors busy for
// seconds.
func measures(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: measures real programs")
	}
}

// mark puts a word into the environment of this process, which all that it
// starts inherit.
func mark(t *testing.T) string {
	t.Helper()
	word := fmt.Sprintf("TUNNELBENCH_MARK=%d-%s", os.Getpid(), t.Name())
	name, value, _ := strings.Cut(word, "=")
	t.Setenv(name, value)
	return word
}

// marked lists the live processes that inherited a word, but for this one,
// whose own environment is as it was at its start.
func marked(t *testing.T, word string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environment, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && slices.Contains(strings.Split(string(environment), "\x00"), word) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// waitNone waits until no marked process is left.
func waitNone(t *testing.T, word string) {
	t.Helper()
	waitUntil(t, "end of the processes", func() (string, bool) {
		left := marked(t, word)
		return fmt.Sprint(left), len(left) == 0
	})
}

// waitUntil waits until something is so. state says how it is meanwhile.
func waitUntil(t *testing.T, what string, is func() (state string, ok bool)) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(time.Minute)
	for {
		state, ok := is()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("no %s: %s", what, state)
		}
	}
}

// buildGtunnel builds the program beside this one.
func buildGtunnel(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gtunnel")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../gtunnel").CombinedOutput(); err != nil {
		t.Fatalf("build gtunnel: %v: %s", err, out)
	}
	return path
}

// TestQuick measures three pairs from end to end and looks at every report.
func TestQuick(t *testing.T) {
	measures(t)
	word := mark(t)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	reports := t.TempDir()
	file := func(name string) string { return filepath.Join(reports, name) }
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{
		"--scale", "quick", "--rounds", "1", "--pairs", "gtunnel,relay,none", "--require", "--gtunnel", buildGtunnel(t),
		"--json=" + file("result.json"), "--plot", file("result.svg"), "--markdown", file("result.md"),
	}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if left := marked(t, word); len(left) > 0 {
		t.Errorf("processes left behind: %v", left)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}

	text, err := os.ReadFile(file("result.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := readResult(text)
	if err != nil {
		t.Fatal(err)
	}
	if names := len(r.Pairs); names != 3 || r.Base != "relay" || r.Rounds != 1 || len(r.Failures) > 0 ||
		r.Machine.CPUs < 1 {
		t.Errorf("the run: %d pairs, base %s, %d rounds, failures %v", names, r.Base, r.Rounds, r.Failures)
	}
	if checked := r.Pairs[0].Checked; checked != "TLS 1.3, TLS_AES_128_GCM_SHA256, both ends verify" {
		t.Errorf("gtunnel proved %q", checked)
	}
	checkMetrics(t, r)
	for _, want := range []string{"bulk down, 1 connection (MB/s, more is better)", "to relay", "gtunnel", "none"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, stdout.String())
		}
	}
	for _, name := range []string{"result.svg", "result.md"} {
		if text, err := os.ReadFile(file(name)); err != nil || !strings.Contains(string(text), "round trip of 64 B") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}

	// The reports of an earlier run are the same.
	var again bytes.Buffer
	if err := run(t.Context(), []string{"--from", file("result.json")}, &again, io.Discard); err != nil ||
		again.String() != stdout.String() {
		t.Errorf("--from: %v, and a text that differs", err)
	}
}

// checkMetrics wants a quick run to have measured everything of three pairs.
func checkMetrics(t *testing.T, r *result) {
	t.Helper()
	for _, m := range allMeasures() {
		for _, metric := range m.metrics(allScales()[1]) {
			got := r.find(metric.Name)
			if got == nil {
				t.Errorf("%s was not measured", metric.Name)
				continue
			}
			for _, pair := range []string{"gtunnel", "relay", "none"} {
				s := got.Pairs[pair]
				// No tunnel has no processes to look at.
				ofProcess := m.name == "memory" ||
					strings.Contains(metric.Name, "cpu") && !strings.HasSuffix(metric.Name, ".bench") ||
					m.name == "start" && metric.Name != "start.first"
				if pair == "none" && ofProcess {
					if s != nil {
						t.Errorf("%s of none: %v, want nothing", metric.Name, s.Median)
					}
					continue
				}
				// Memory may shrink while it is measured; all else costs something.
				if s == nil || s.Median <= 0 && m.name != "memory" || s.Median != s.Rounds[0] || s.Ratio == nil {
					t.Errorf("%s of %s: %+v", metric.Name, pair, s)
				}
			}
		}
	}
}

// TestSignal: signals that can be handled end the run, its processes and its
// files; one that cannot ends the processes all the same.
func TestSignal(t *testing.T) {
	measures(t)
	gtunnel := buildGtunnel(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			word := mark(t)
			folder := t.TempDir()
			cmd := exec.Command(os.Args[0], "--scale", "quick", "--rounds", "100", "--measure", "bulk", "--pairs", "gtunnel",
				"--gtunnel", gtunnel)
			cmd.Env = append(os.Environ(), "TUNNELBENCH_MAIN=1", "TMPDIR="+folder)
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for deadline := time.Now().Add(60 * time.Second); len(marked(t, word)) < 3; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					_ = cmd.Process.Kill()
					<-ended
					t.Fatalf("it does not start a pair: %s", output.String())
				}
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Errorf("it ended well after a signal: %s", output.String())
			}
			waitNone(t, word)
			if left, err := os.ReadDir(folder); signal != syscall.SIGKILL && (err != nil || len(left) > 0) {
				t.Errorf("files left behind: %v, %v", left, err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--rounds", "0"}, "--rounds 0"},
		{[]string{"--rounds", "101"}, "--rounds 101"},
		{[]string{"--scale", "huge"}, "quick or full"},
		{[]string{"--pairs", "stunnel,spiped"}, `no pair is called "spiped"`},
		{[]string{"--measure", "smell"}, `no measure is called "smell"`},
		{[]string{"bulk"}, `unexpected "bulk"`},
		{[]string{"--json", "--plot", "-"}, "only one of"},
		{[]string{"--streams", "1,0"}, "0 connections"},
		{[]string{"--idle", "10001"}, "10001 connections"},
		{[]string{"--nothing"}, "unknown flag"},
		{[]string{"relay", "127.0.0.1:1"}, "usage"},
	} {
		err := run(t.Context(), c.args, io.Discard, io.Discard)
		if _, usage := errors.AsType[*usageError](err); !usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want a usage error with %q", c.args, err, c.want)
		}
	}
	if err := run(t.Context(), []string{"--help"}, io.Discard, io.Discard); err != nil {
		t.Errorf("--help: %v", err)
	}
}

// TestMissing: a program that is not there is named, and required or left out.
func TestMissing(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "gtunnel")
	var stderr bytes.Buffer
	err := run(t.Context(), []string{"--pairs", "gtunnel,none", "--gtunnel", nowhere, "--require"}, io.Discard, &stderr)
	if _, ok := errors.AsType[*missingError](err); !ok {
		t.Errorf("required: %v", err)
	}
	args := []string{"--pairs", "gtunnel,none", "--gtunnel", nowhere, "--measure", "start", "--scale", "quick", "--json"}
	var stdout bytes.Buffer
	if err := run(t.Context(), args, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "left out: gtunnel is missing") ||
		!strings.Contains(stderr.String(), "hint: make build") {
		t.Errorf("told: %s", stderr.String())
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || len(r.Pairs) != 1 || r.Base != "none" {
		t.Errorf("the run: %v, %+v", err, r)
	}
	err = run(t.Context(), append(args, "--base", "gtunnel"), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "the base gtunnel is not among the pairs") {
		t.Errorf("a missing base: %v", err)
	}
}

// TestFailedPair: what a broken program printed is in the error, and nothing
// of it is left.
func TestFailedPair(t *testing.T) {
	measures(t)
	word := mark(t)
	broken := filepath.Join(t.TempDir(), "gtunnel")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\n[ \"$1\" = version ] && exit\necho out of order >&2\nexit 1\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"--pairs", "gtunnel", "--gtunnel", broken, "--scale", "quick"}, io.Discard,
		io.Discard)
	if err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("a broken program: %v", err)
	}
	waitNone(t, word)
}

// TestUnverified: a pair that verifies nothing is not measured. Here a relay
// without TLS claims to be a tunnel.
func TestUnverified(t *testing.T) {
	b := &bench{scale: allScales()[1], progress: io.Discard}
	if err := b.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	p, err := allPeers()[5].find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if checked, err := b.prove(ctx, p); err == nil {
		t.Errorf("a relay without TLS passed the check: %s", checked)
	}
}

// TestPlot: the picture is well-formed and holds what the numbers say.
func TestPlot(t *testing.T) {
	r := testResult()
	var svg bytes.Buffer
	if err := r.writePlot(&svg); err != nil {
		t.Fatal(err)
	}
	var texts []string
	bars := 0
	for decoder := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg.String())
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rect" {
				bars++
			}
		case xml.CharData:
			texts = append(texts, strings.TrimSpace(string(token)))
		}
	}
	if bars != 1+3 { // the background, two bars of one metric, one of the other
		t.Errorf("%d rectangles, want 4", bars)
	}
	for _, want := range []string{"speed <of light>", "MB/s, longer is better", "900 (3.00x)", "300", "–"} {
		if !slices.Contains(texts, want) {
			t.Errorf("the plot lacks %q: %q", want, texts)
		}
	}
}

func TestMarkdown(t *testing.T) {
	var text strings.Builder
	if err := testResult().writeMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	want := "| | gtunnel | stunnel |\n| --- | ---: | ---: |\n| speed <of light>, MB/s | 900 (3.00x) | 300 |\n| weight, " +
		"KB | 12.5 | – |\n"
	if !strings.HasPrefix(text.String(), want) {
		t.Errorf("got:\n%s\nwant:\n%s", text.String(), want)
	}
}

func testResult() *result {
	r := &result{Rounds: 3, Base: "stunnel", Pairs: []pairInfo{{Name: "gtunnel"}, {Name: "stunnel"}}}
	metrics := []metric{
		{Name: "a", Title: "speed <of light>", Unit: "MB/s", Better: more, Main: true},
		{Name: "b", Title: "weight", Unit: "KB", Better: less, Main: true},
		{Name: "c", Title: "colour", Unit: "nm", Better: less},
	}
	for _, m := range metrics {
		r.Metrics = append(r.Metrics, &metricResult{metric: m, Pairs: map[string]*series{}})
	}
	for round, v := range []float64{600, 900, 1200} {
		r.add(metrics, "gtunnel", round, values{"a": v, "b": 12.5})
		r.add(metrics, "stunnel", round, values{"a": v / 3})
	}
	return r
}
