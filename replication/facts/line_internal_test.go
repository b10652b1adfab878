package facts

import (
	"testing"
	"time"
)

// TestLineMeter tells the rate of lines from what comes by them: in bursts of a round trip
// that double until the line is full.
func TestLineMeter(t *testing.T) {
	for name, line := range map[string]struct {
		trip        time.Duration
		bits        float64 // a second, of the line
		grows, slow bool    // what is right
	}{
		"slow":               {30 * time.Millisecond, 20e6, false, true},
		"slow and long":      {200 * time.Millisecond, 20e6, false, true},
		"very slow":          {60 * time.Millisecond, 1e6, false, true},
		"fast":               {time.Millisecond, 1e9, false, false},
		"fast and long":      {60 * time.Millisecond, 1e9, false, false},
		"fast and very long": {300 * time.Millisecond, 1e9, true, false},
	} {
		const enough = 100e6
		m := newLineMeter(line.trip, enough)
		now, burst, sent, done := time.Now(), 10*1460.0, 0, false
		for at := now; !done && sent < lineRows; at = at.Add(line.trip) {
			full := min(burst, line.trip.Seconds()*line.bits/8)
			for came := 0.0; !done && came < full && sent < lineRows; came += rowBytes {
				sent++
				now = at.Add(time.Duration(came * 8 / line.bits * float64(time.Second)))
				done = m.came(rowBytes, now)
			}
			burst *= 2
		}
		if !done {
			m.end(now)
		}
		got := m.line()
		slow := float64(got.Bits) < enough && !got.Grows
		if slow != line.slow || slow && (float64(got.Bits) < 0.7*line.bits || float64(got.Bits) > 1.3*line.bits) {
			t.Errorf("%s: %v, which is %d bit/s", name, got, got.Bits)
		}
		if took := now.Sub(m.begun); took > 2300*time.Millisecond {
			t.Errorf("%s took %v", name, took)
		}
	}
}
