package page

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// textLimit is how much of a text is shown, in bytes: what a peer says may
// stand in it.
const textLimit = 600

// plain is a text of a bounded length.
func plain(text string) string {
	if len(text) <= textLimit {
		return text
	}
	return strings.ToValidUTF8(text[:textLimit], "") + " …"
}

// visible is HTML without characters that are not seen but change what is, such
// as those that turn the direction of writing.
func visible(html string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar) {
			return '?'
		}
		return r
	}, html)
}

// splitCure takes the cure from the end of a problem that names one.
func splitCure(text string) Problem {
	p := tunnel.ProblemOf(text)
	return Problem{Text: p.Reason, Cure: p.Cure}
}

// sentence begins a text with a capital letter, unless it begins with the name of
// a file, an address or the like.
func sentence(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if text == "" || first == "gtunnel" || strings.ContainsAny(first, "./:_=‹") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] // what is no ASCII letter stays
}

// ago says in words how long ago a moment was.
func ago(now, then time.Time) string {
	d := max(0, now.Sub(then))
	if d < 5*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span is a duration in its largest unit: "40 seconds", "3 days".
func span(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		noun   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*unit.length || unit.noun == "minute" && d >= unit.length {
			return finding.Count(int(d/unit.length), unit.noun)
		}
	}
	return finding.Count(int(d/time.Second), "second")
}

// until says how far away an end is.
func until(now, end time.Time) string {
	if !now.Before(end) {
		return "ended " + ago(now, end)
	}
	return span(end.Sub(now)) + " left"
}

// moment is a time that is shown, with the text that a machine reads.
type moment struct {
	Machine string // RFC 3339
	Text    string
}

// at is a moment, as long as it is today without its date.
func at(now, then time.Time) moment {
	then, now = then.Local(), now.Local()
	m := moment{Machine: then.Format(time.RFC3339), Text: then.Format("2006-01-02 15:04")}
	if then.YearDay() == now.YearDay() && then.Year() == now.Year() {
		m.Text = then.Format("15:04:05")
	}
	return m
}

// dayOf is the day of a moment.
func dayOf(then time.Time) moment {
	then = then.Local()
	return moment{Machine: then.Format(time.RFC3339), Text: then.Format(time.DateOnly)}
}

// rate is bytes per second in words.
func rate(perSecond float64) string {
	text := finding.FormatBytes(uint64(math.Round(perSecond)))
	return strings.Replace(text, ".0 ", " ", 1) + "/s"
}

// seconds is how far a slave is behind, in words.
func seconds(behind float64) string {
	switch {
	case behind < 120:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", behind), ".0") + " s"
	case behind < 7200:
		return fmt.Sprintf("%.0f min", behind/60)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", behind/3600), ".0") + " h"
}
