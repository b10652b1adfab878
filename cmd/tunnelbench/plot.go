package main

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

// The plot is a grid of panels, one for each main metric: a bar for each pair
// as long as its median, with a line from the least to the greatest round.
const (
	plotColumns = 2
	plotMargin  = 24
	panelWidth  = 426
	panelHead   = 48  // title and unit
	panelGap    = 30  // below a panel
	barLeft     = 84  // the names of the pairs
	barRight    = 104 // the values
	barHeight   = 15
	barStep     = 22
	plotHead    = 64
	plotFoot    = 30
)

// Colours: this project's pair, its peers, and those that do not encrypt.
const (
	colourOwn   = "#0a7d55"
	colourPeer  = "#7f97ab"
	colourPlain = "#cdd5dc"
	colourText  = "#1b2733"
	colourFaint = "#5b6b7a"
)

// writePlot draws the main metrics as an SVG picture.
func (r *result) writePlot(w io.Writer) error {
	var panels []*metricResult
	for _, m := range r.Metrics {
		if m.Main && len(m.Pairs) > 0 {
			panels = append(panels, m)
		}
	}
	panelHeight := panelHead + len(r.Pairs)*barStep + panelGap
	lines := (len(panels) + plotColumns - 1) / plotColumns
	width := 2*plotMargin + plotColumns*panelWidth
	height := plotHead + lines*panelHeight + plotFoot

	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" `+
		`font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" fill="%s">`+"\n",
		width, height, width, height, colourText)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	plotText(&svg, plotMargin, 32, `font-size="20" font-weight="bold"`, "Tunnels side by side")
	plotText(&svg, plotMargin, 52, fmt.Sprintf(`font-size="12" fill="%s"`, colourFaint),
		fmt.Sprintf("bars: median of %s; lines: least to greatest; in parentheses: to %s in the same round",
			plural(r.Rounds, "round"), r.Base))
	for n, m := range panels {
		x := plotMargin + n%plotColumns*panelWidth
		y := plotHead + n/plotColumns*panelHeight
		r.plotPanel(&svg, m, x, y)
	}
	plotText(&svg, plotMargin, height-16, fmt.Sprintf(`font-size="11" fill="%s"`, colourFaint),
		r.Machine.String()+"; "+r.Started.Format("2006-01-02"))
	svg.WriteString("</svg>\n")
	if _, err := io.WriteString(w, svg.String()); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}

func (r *result) plotPanel(svg *strings.Builder, m *metricResult, x, y int) {
	better := map[string]string{more: "longer is better", less: "shorter is better"}[m.Better]
	plotText(svg, x, y+20, `font-size="14" font-weight="bold"`, m.Title)
	plotText(svg, x, y+37, fmt.Sprintf(`font-size="12" fill="%s"`, colourFaint), m.Unit+", "+better)
	full := float64(panelWidth - barLeft - barRight)
	scale := full / m.greatest()
	for n, p := range r.Pairs {
		top := y + panelHead + n*barStep
		base := top + barHeight - 3
		plotText(svg, x+barLeft-8, base, fmt.Sprintf(`font-size="12" text-anchor="end"%s`,
			map[bool]string{true: ` font-weight="bold"`}[p.Name == "gtunnel"]), p.Name)
		s := m.Pairs[p.Name]
		if s == nil {
			plotText(svg, x+barLeft, base, fmt.Sprintf(`font-size="12" fill="%s"`, colourFaint), "–")
			continue
		}
		length := min(s.Median*scale, full)
		cut := s.Median > m.greatest()
		left := float64(x + barLeft)
		fmt.Fprintf(svg, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, top, max(length, 1),
			barHeight, pairColour(p.Name))
		if cut { // and the bar looks it
			fmt.Fprintf(svg, `<path d="M%.1f %d l6 -%d" stroke="#ffffff" stroke-width="4"/>`+"\n", left+length-22,
				top+barHeight+1, barHeight+2)
		} else {
			middle := float64(top) + barHeight/2.0
			fmt.Fprintf(svg, `<path d="M%.1f %.1f H%.1f" stroke="%s" stroke-width="1.5"/>`+"\n", left+s.Min*scale, middle,
				left+min(s.Max*scale, full), colourText)
			length = max(length, min(s.Max*scale, full))
		}
		value := formatValue(s.Median)
		if s.Ratio != nil && p.Name != r.Base {
			value += fmt.Sprintf(" (%.2fx)", s.Ratio.Median)
		}
		plotText(svg, int(left+length)+6, base, `font-size="12"`, value)
	}
}

// greatest is what a full bar means. A pair that does not encrypt may go
// beyond it: no tunnel is several times as fast as any.
func (m *metricResult) greatest() float64 {
	var all, tunnels []float64
	for name, s := range m.Pairs {
		all = append(all, s.Median)
		if name != "none" {
			tunnels = append(tunnels, s.Median)
		}
	}
	if len(tunnels) > 0 {
		all = tunnels
	}
	if most := slices.Max(all); most > 0 {
		return most
	}
	return 1
}

func pairColour(name string) string {
	switch name {
	case "gtunnel":
		return colourOwn
	case "relay", "none":
		return colourPlain
	default:
		return colourPeer
	}
}

func plotText(svg *strings.Builder, x, y int, attributes, text string) {
	fmt.Fprintf(svg, `<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, attributes, html.EscapeString(text))
}
