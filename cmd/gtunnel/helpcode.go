package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/tunnel"
)

// refusalCodes are the codes of refusals, in the words of flags.
func refusalCodes() []certs.Meaning {
	flags := new(config.Config)
	var codes []certs.Meaning
	for _, c := range slices.Concat(certs.Codes(), tunnel.Codes()) {
		codes = append(codes, certs.Meaning{Code: c.Code, Meaning: flags.Words(c.Meaning), Cure: flags.Words(c.Cure)})
	}
	return codes
}

// allCodes are the codes of refusals and of findings.
func allCodes() []string {
	var codes []string
	for _, c := range refusalCodes() {
		codes = append(codes, string(c.Code))
	}
	for _, c := range rules.Codes() {
		codes = append(codes, c.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// showCode prints what a code means and what to do, once for each that has the name. It reports
// whether there is one.
func showCode(out io.Writer, code string) bool {
	found := false
	show := func(where, meaning, cure string) {
		found = true
		fmt.Fprintf(out, "%s (%s): %s\n", code, where, meaning)
		if cure != "" {
			fmt.Fprintf(out, "hint: %s\n", cure)
		}
	}
	for _, c := range refusalCodes() {
		if string(c.Code) == code {
			show("a peer is refused", c.Meaning, c.Cure)
		}
	}
	for _, c := range rules.Codes() {
		if c.Code == code {
			show(cmp.Or(c.At.String(), "replication"), c.Meaning, finding.WithNames(c.Cure, nil))
		}
	}
	return found
}
