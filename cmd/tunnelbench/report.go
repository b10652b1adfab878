package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is a whole run, and what --json writes and --from reads.
type result struct {
	Started  time.Time       `json:"started"`
	Seconds  float64         `json:"seconds"`
	Machine  machine         `json:"machine"`
	Scale    string          `json:"scale"`
	Rounds   int             `json:"rounds"` // that were completed
	Base     string          `json:"base"`
	Pairs    []pairInfo      `json:"pairs"`
	Metrics  []*metricResult `json:"metrics"`
	Failures []string        `json:"failures,omitempty"`
}

// pairInfo is what was compared.
type pairInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Checked string `json:"checked,omitempty"` // what both ends proved
}

// metricResult is a metric with what each pair reached.
type metricResult struct {
	metric
	Pairs map[string]*series `json:"pairs"`
}

// series is one metric of one pair.
type series struct {
	summary
	Rounds rounds   `json:"rounds"` // value by round, from 0
	Ratio  *summary `json:"ratio,omitempty"`
}

// add notes the values of one round, and what follows from all rounds so far.
func (r *result) add(metrics []metric, pair string, round int, v values) {
	for _, metric := range metrics {
		value, ok := v[metric.Name]
		if !ok || math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		m := r.find(metric.Name)
		s := m.Pairs[pair]
		if s == nil {
			s = &series{Rounds: rounds{}}
			m.Pairs[pair] = s
		}
		s.Rounds[round] = value
		m.summarize(r.Base)
	}
}

func (m *metricResult) summarize(base string) {
	for _, s := range m.Pairs {
		s.summary = summarize(s.Rounds.values())
		if b := m.Pairs[base]; b != nil {
			if pairs := s.Rounds.ratios(b.Rounds); len(pairs) > 0 {
				ratio := summarize(pairs)
				s.Ratio = &ratio
			}
		}
	}
}

// find is the metric of a name, nil if there is none.
func (r *result) find(name string) *metricResult {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// formatValue keeps three digits that mean something.
func formatValue(v float64) string {
	switch size := math.Abs(v); {
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

func (r *result) about() string {
	return fmt.Sprintf("%s; %s, scale %s, medians of %s", r.Machine, r.Started.Format("2006-01-02"), r.Scale,
		plural(r.Rounds, "round"))
}

// writeText prints every metric: median, least and greatest of the rounds, and
// the same of the ratios to the base.
func (r *result) writeText(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", r.about())
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, p := range r.Pairs {
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, p.Version, p.Checked)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for _, m := range r.Metrics {
		if len(m.Pairs) == 0 || r.isSide(m.Name) {
			continue
		}
		fmt.Fprintf(&text, "\n%s (%s, %s is better)\n", m.Title, m.Unit, m.Better)
		if err := r.writeTable(&text, m); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(&text, "\nfailed: %s\n", failure)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// sides are the parts of some metrics: their names follow that of the whole.
var sides = []string{"client", "server", "bench"}

// isSide reports whether a metric is shown as a column of another.
func (r *result) isSide(name string) bool {
	return slices.ContainsFunc(sides, func(side string) bool {
		whole, ok := strings.CutSuffix(name, "."+side)
		return ok && r.find(whole) != nil
	})
}

func (r *result) writeTable(w io.Writer, m *metricResult) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tmedian\tmin\tmax\tto %s\tmin\tmax\t", r.Base)
	var parts []*metricResult
	for _, side := range sides {
		if part := r.find(m.Name + "." + side); part != nil {
			parts = append(parts, part)
			fmt.Fprintf(table, "%s\t", side)
		}
	}
	fmt.Fprintln(table)
	for _, p := range r.Pairs {
		s := m.Pairs[p.Name]
		if s == nil {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t", p.Name, formatValue(s.Median), formatValue(s.Min), formatValue(s.Max))
		if s.Ratio != nil {
			fmt.Fprintf(table, "%.2fx\t%.2f\t%.2f\t", s.Ratio.Median, s.Ratio.Min, s.Ratio.Max)
		} else {
			fmt.Fprint(table, "\t\t\t")
		}
		for _, part := range parts {
			if s := part.Pairs[p.Name]; s != nil {
				fmt.Fprint(table, formatValue(s.Median))
			}
			fmt.Fprint(table, "\t")
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// writeMarkdown prints the main metrics, a column for each pair.
func (r *result) writeMarkdown(w io.Writer) error {
	var text strings.Builder
	text.WriteString("| |")
	for _, p := range r.Pairs {
		fmt.Fprintf(&text, " %s |", p.Name)
	}
	text.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(r.Pairs)) + "\n")
	for _, m := range r.Metrics {
		if !m.Main || len(m.Pairs) == 0 {
			continue
		}
		fmt.Fprintf(&text, "| %s, %s |", m.Title, m.Unit)
		for _, p := range r.Pairs {
			cell := "–"
			if s := m.Pairs[p.Name]; s != nil {
				cell = formatValue(s.Median)
				if s.Ratio != nil && p.Name != r.Base {
					cell += fmt.Sprintf(" (%.2fx)", s.Ratio.Median)
				}
			}
			fmt.Fprintf(&text, " %s |", cell)
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(&text, "\n%s, interleaved. In parentheses: the median of the ratios to %s in the same round.",
		r.about(), r.Base)
	for n, p := range r.Pairs {
		fmt.Fprintf(&text, "%s%s %s", map[bool]string{true: " Pairs: ", false: "; "}[n == 0], p.Name, p.Version)
	}
	text.WriteString(".\n")
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write the Markdown table: %w", err)
	}
	return nil
}

func (r *result) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the JSON: %w", err)
	}
	return nil
}

// readResult reads what writeJSON wrote.
func readResult(text []byte) (*result, error) {
	r := &result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("not a result of tunnelbench --json: %w", err)
	}
	for _, m := range r.Metrics {
		for pair, s := range m.Pairs {
			if s == nil || len(s.Rounds) == 0 {
				return nil, fmt.Errorf("not a result of tunnelbench --json: %s of %s has no rounds", m.Name, pair)
			}
		}
	}
	return r, nil
}
