package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// longlinkResult is a whole run, and what --json writes.
type longlinkResult struct {
	Started time.Time      `json:"started"`
	Machine machine        `json:"machine"`
	Server  string         `json:"server"`
	Tables  int            `json:"tables"`
	Rows    int            `json:"rows"`      // of each
	Thin    int            `json:"thin_rows"` // that cross the thin line
	Pairs   []pairInfo     `json:"pairs"`
	Steps   []longlinkStep `json:"steps"`
}

// timed is a time under a name.
type timed struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// longlinkStep is a step of gtunnel.
type longlinkStep struct {
	timed

	Line lineShape `json:"line"`
	Most float64   `json:"most,omitempty"` // seconds
	Aim  float64   `json:"aim,omitempty"`  // seconds
	Met  string    `json:"met,omitempty"`
	Bare []timed   `json:"bare,omitempty"` // what the bare tools through stunnel take
}

func (l *longlink) newResult() *longlinkResult {
	return &longlinkResult{
		Started: time.Now().UTC().Truncate(time.Second), Machine: describeMachine(), Server: string(l.kind),
		Tables: l.tables, Rows: l.rows, Thin: l.thinRows, Pairs: []pairInfo{l.gtunnel.info, l.stunnel.info},
	}
}

func (r *longlinkResult) add(shape lineShape, t timed, within reach, bare ...timed) {
	r.Steps = append(r.Steps, longlinkStep{
		timed: t, Line: shape, Most: within.most, Aim: within.aim, Met: within.met(t.Seconds), Bare: bare,
	})
}

// met says how much of the reach was met; empty where there is none.
func (r reach) met(seconds float64) string {
	switch {
	case r.most == 0:
		return ""
	case seconds <= r.aim:
		return "aim"
	case seconds <= r.most:
		return "yes"
	}
	return "NO"
}

// rows are the cells of the table, with the heads.
func (r *longlinkResult) rows() [][]string {
	rows := [][]string{{"line", "step", "seconds", "at most", "aim", "met", "bare tools, seconds"}}
	for _, s := range r.Steps {
		row := []string{s.Line.String(), s.Name, seconds(s.Seconds), seconds(s.Most), seconds(s.Aim), s.Met, ""}
		for n, b := range s.Bare {
			if n > 0 {
				row[6] += "; "
			}
			row[6] += fmt.Sprintf("%s %s", seconds(b.Seconds), b.Name)
		}
		rows = append(rows, row)
	}
	return rows
}

func seconds(s float64) string {
	if s == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", s)
}

func (r *longlinkResult) about() string {
	words := []string{
		r.Machine.String(), r.Started.Format("2006-01-02"), r.Server, fmt.Sprintf("%d tables of %d rows", r.Tables, r.Rows),
	}
	if r.Thin > 0 {
		words = append(words, fmt.Sprintf("over the thin line one table of %d rows", r.Thin))
	}
	for _, p := range r.Pairs {
		words = append(words, p.Name+" "+p.Version)
	}
	return strings.Join(words, "; ")
}

func (r *longlinkResult) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.about())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintln(table, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *longlinkResult) writeMarkdown(w io.Writer) error {
	for n, row := range r.rows() {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if n == 0 {
			fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | --- | --- |")
		}
	}
	_, err := fmt.Fprintf(w, "\n%s.\n", r.about())
	return err
}

func (r *longlinkResult) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the JSON: %w", err)
	}
	return nil
}
