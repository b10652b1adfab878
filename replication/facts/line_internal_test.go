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
		m := lineMeter{enough: enough, trip: line.trip}
		burst, all, full := 10*1460.0, time.Duration(0), line.trip.Seconds()*line.bits/8
		for rows, done := firstRows, false; !done && rows <= lastRows && all < lineTime; rows *= 2 {
			took := line.trip
			for left := float64(rows * rowBytes); left > 0; left -= burst {
				if burst < full { // TCP waits to be told that it has come
					took += line.trip
					burst *= 2
				}
				took += time.Duration(min(left, burst) * 8 / line.bits * float64(time.Second))
			}
			all += took
			done = m.came(rows*rowBytes, took)
		}
		got := m.line()
		slow := float64(got.Bits) < enough && !got.Grows
		if slow != line.slow || slow && (float64(got.Bits) < 0.5*line.bits || float64(got.Bits) > 1.3*line.bits) {
			t.Errorf("%s: %v, which is %d bit/s", name, got, got.Bits)
		}
	}
}
