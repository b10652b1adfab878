package browsertest_test

import (
	_ "embed"
	"slices"

	"github.com/chromedp/cdproto/accessibility"
)

// rules gives what of a page breaks the Web Content Accessibility Guidelines, as
// far as a script can tell.
//
//go:embed rules.js
var rules string

// checkRules holds the page against the rules, as it looks now.
func (b *browser) checkRules(as string) {
	b.t.Helper()
	for _, broken := range eval[[]string](b, rules) {
		b.t.Errorf("%s: %s", as, broken)
	}
}

// checkNames looks at what a screen reader is given: all that it stops at has a
// name, and there is one main part.
func (b *browser) checkNames() {
	b.t.Helper()
	nodes := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	named := []string{
		"link", "button", "image", "img", "table", "heading", "region", "navigation", "figure", "columnheader",
		"rowheader", "DisclosureTriangle",
	}
	count := make(map[string]int)
	for _, node := range nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		role := text(node.Role)
		count[role]++
		if slices.Contains(named, role) && text(node.Name) == "" {
			b.t.Errorf("a %s has no name (node %d)", role, node.BackendDOMNodeID)
		}
	}
	for role, least := range map[string]int{
		"main": 1, "banner": 1, "contentinfo": 1, "navigation": 1, "region": 7, "heading": 9, "table": 1, "columnheader": 8,
		"image": 1, "status": 1,
	} {
		if count[role] < least || role == "main" && count[role] > 1 {
			b.t.Errorf("a screen reader finds %d of %s: %v", count[role], role, count)
		}
	}
}

// text is the text of a value of the accessibility tree.
func text(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	return string(value.Value[min(1, len(value.Value)):max(1, len(value.Value)-1)])
}
