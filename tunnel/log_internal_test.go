package tunnel

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/certs"
)

// TestFailuresOfOneHost: a host has one line a second about one code, another
// code and another host have their own, and what was not written is counted.
func TestFailuresOfOneHost(t *testing.T) {
	var f failureLog
	now := time.Now()
	for i, test := range []struct {
		code       certs.Code
		source     string
		after      time.Duration
		ok         bool
		suppressed uint64
	}{
		{"a", "192.0.2.1", 0, true, 0},
		{"a", "192.0.2.1", 0, false, 0},
		{"b", "192.0.2.1", 0, true, 0},
		{"a", "192.0.2.2", 500 * time.Millisecond, true, 1},
		{"a", "192.0.2.1", 999 * time.Millisecond, false, 0},
		{"a", "192.0.2.1", time.Second, true, 1},
	} {
		suppressed, ok := f.allow(test.code, test.source, 0, now.Add(test.after))
		if ok != test.ok || suppressed != test.suppressed {
			t.Errorf("%d: %d, %t", i, suppressed, ok)
		}
	}
	for i := range 3 * sourcesKept { // a flood from everywhere
		f.allow("c", fmt.Sprint(i), 0, now.Add(time.Duration(i)*time.Hour))
	}
	if n := len(f.codes["c"].sources); n > sourcesKept {
		t.Errorf("%d hosts are remembered", n)
	}
}

// TestFailuresAreCounted: 10,000 refused connections from one address within a
// minute are a bounded number of lines, and the last count is told too.
func TestFailuresAreCounted(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	tun := &Tunnel{log: boundedLog{logger: zap.New(core)}}
	const times = 10_000
	for i := range times {
		tun.logFailure(zapcore.WarnLevel, "peer refused", certs.CodeDisconnected,
			zap.String("peer", fmt.Sprintf("192.0.2.1:%d", i)), zap.String("reason", "a test"))
	}
	tun.countFailures(time.Now())
	written := logs.Len()
	if written > 60+failureBurst {
		t.Errorf("%d lines", written)
	}
	tun.countFailures(time.Now().Add(tellFailures))
	tun.countFailures(time.Now().Add(2 * tellFailures))
	var told uint64
	for _, line := range logs.All() {
		if n, ok := line.ContextMap()["suppressed"].(uint64); ok {
			told += n
		}
	}
	if logs.Len() != written+1 || told+uint64(written) != times {
		t.Errorf("%d lines, then %d; %d of %d are told", written, logs.Len(), told+uint64(written), times)
	}
	if list := tun.refusals.list(); len(list) != 1 || list[0].Times != times || list[0].Peer != "192.0.2.1:9999" {
		t.Errorf("remembered: %+v", list)
	}
}

// TestRefusalsAreBounded: many hosts of one code do not drive out another code.
func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	r.add("b", []zap.Field{zap.String("peer", "198.51.100.1:1"), zap.String("cure", "mend it")})
	for i := range 100 {
		r.add("a", []zap.Field{zap.String("from", fmt.Sprintf("192.0.2.%d:1", i))})
	}
	list := r.list()
	if len(list) != refusalsKept+1 || list[0].Peer != "192.0.2.99:1" || list[refusalsKept].Cure != "mend it" {
		t.Errorf("%+v", list)
	}
}
