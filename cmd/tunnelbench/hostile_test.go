package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestHostile attacks a real server for seconds. Whoever was verified before
// gets in during all of it, others in all that does not keep a busy machine's
// processors busier, and the memory is bounded: a server that held whole
// certificate messages would take 300 MB.
func TestHostile(t *testing.T) {
	measures(t)
	word := mark(t)
	attacks, err := selectAttacks([]string{"four", "own", "storm", "chains", "half"})
	if err != nil {
		t.Fatal(err)
	}
	gtunnel, err := allPeers()[0].find(t.Context(), buildGtunnel(t))
	if err != nil {
		t.Fatal(err)
	}
	h := hostile{
		attacks: attacks, peers: 5, interval: 400 * time.Millisecond, calm: 200 * time.Millisecond,
		patience: time.Minute,
	}
	ordeals, err := h.run(t.Context(), []installed{gtunnel}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(ordeals) != len(attacks) {
		t.Errorf("%d attacks, want %d", len(ordeals), len(attacks))
	}
	for _, o := range ordeals {
		t.Log(o)
		if o.Known.in != o.Peers || o.Strangers.in != o.Peers && (o.Attack == "four" || o.Attack == "own") {
			t.Errorf("%s: %d known and %d new peers of %d get in; %v", o.Attack, o.Known.in, o.Strangers.in, o.Peers, o.Failure)
		}
		if o.Memory <= 0 || o.Memory > 200e6 {
			t.Errorf("%s: %d MB of memory", o.Attack, o.Memory/1e6)
		}
		if o.Left <= 0 {
			t.Errorf("%s: the open session carries nothing", o.Attack)
		}
	}
	waitNone(t, word)
}

func TestHostileOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"hostile", "--attack", "tickle"}, `no attack is called "tickle": there are four, own`},
		{[]string{"hostile", "--pairs", "spiped"}, `no pair is called "spiped"`},
		{[]string{"hostile", "four"}, `unexpected "four"`},
		{[]string{"hostile", "--nothing"}, "unknown flag"},
		{[]string{"attack", "four", "192.0.2.1:3307", "."}, "no address of loopback"},
		{[]string{"attack", "four", "server1:3307", "."}, "no address of loopback"},
		{[]string{"attack", "four"}, "usage"},
	} {
		err := run(t.Context(), c.args, io.Discard, io.Discard)
		if _, usage := errors.AsType[*usageError](err); !usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want a usage error with %q", c.args, err, c.want)
		}
	}
	if err := run(t.Context(), []string{"hostile", "--help"}, io.Discard, io.Discard); err != nil {
		t.Errorf("--help: %v", err)
	}
}
