package main_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// markdownPage is what the tests look at in a page.
type markdownPage struct {
	headings []string // as links name them
	links    []string // their destinations
	commands []string // lines of code, and code within lines
}

// readPage reads a page of Markdown.
func readPage(t *testing.T, file string) markdownPage {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var page markdownPage
	lines := func(n ast.Node) {
		whole := strings.ReplaceAll(string(n.Lines().Value(source)), "\\\n", "")
		for line := range strings.Lines(whole) {
			page.commands = append(page.commands, strings.TrimSpace(line))
		}
	}
	document := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
	err = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			page.headings = append(page.headings, anchor(textOf(n, source)))
		case *ast.Link:
			page.links = append(page.links, string(n.Destination))
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			lines(n)
		case *ast.CodeSpan:
			page.commands = append(page.commands, textOf(n, source))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// textOf is all text within a node, in one line.
func textOf(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
			continue
		}
		b.WriteString(textOf(c, source))
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// anchor is the name that a forge gives a heading.
func anchor(heading string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, heading)
}

// TestPageLinks: every relative link leads to a file, and to a heading of it.
func TestPageLinks(t *testing.T) {
	pages, err := filepath.Glob("../../examples/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, markdownPages()...)
	pages = append(pages, "../../SECURITY.md", "../../CHANGELOG.md")
	found := 0
	for _, page := range pages {
		for _, link := range readPage(t, page).links {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %s: %v", page, link, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			found++
			target := page
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(page), u.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, link)
				continue
			}
			if u.Fragment != "" && !slices.Contains(readPage(t, target).headings, u.Fragment) {
				t.Errorf("%s: %s has no heading %s", page, target, u.Fragment)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d links found", found)
	}
}

// TestTopicsFit: in a terminal nothing of a topic is wider than 80 columns but what is to be
// pasted, and nothing of Markdown is left.
func TestTopicsFit(t *testing.T) {
	_, commands, _ := runMain(t)
	left := regexp.MustCompile(`\]\(|<!--|\*\*`)
	for _, topic := range help.Topics() {
		var page strings.Builder
		if err := help.Write(&page, topic); err != nil {
			t.Fatal(err)
		}
		pasted := readPage(t, filepath.Join("help", "topics", topic+".md")).commands
		for line := range strings.Lines(page.String()) {
			line = strings.TrimRight(line, "\n")
			isPasted := slices.ContainsFunc(pasted, func(code string) bool { return code == strings.TrimSpace(line) })
			if !isPasted && (len([]rune(line)) > 80 || left.MatchString(line)) {
				t.Errorf("%s: %s", topic, line)
			}
		}
		if strings.Contains(commands, "\n  "+topic+" ") {
			t.Errorf("%s is the name of a command, too", topic)
		}
		if title := help.Title(topic); len(title) > 61 {
			t.Errorf("%s: the title has %d characters, and a line of gtunnel help has room for 61", topic, len(title))
		}
	}
}

// TestTopicLinks: a link between topics shows what to type.
func TestTopicLinks(t *testing.T) {
	var page strings.Builder
	if err := help.Write(&page, "setup"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "gtunnel help seeding") {
		t.Errorf("the topic setup does not name seeding:\n%s", &page)
	}
}

var (
	pageFlag    = regexp.MustCompile(`(?m)^\\fB\\-\\-((?:[a-z0-9]|\\-)+).*\n(.*)`)
	writtenFlag = regexp.MustCompile("(?:^|[\\s`(\\[,])--([a-z][a-z0-9-]+)")
)

// foreignCommands are those of other programs, whose flags stand in the pages, too.
var foreignCommands = regexp.MustCompile(
	`^(rsync|scp|ssh|systemctl|journalctl|firewall-cmd|mariadb|mysql|mysqldump|docker|docker-compose|` +
		`bin/tunnelbench|make|install|ipmitool|alias|crm|pcs|git|go|voms\S*|curl|useradd|apt|dnf|gpg|rpmsign)\b`)

// foreignFlags are of other programs within running text.
var foreignFlags = []string{
	"scale", "measure", "rounds", "attack", "pairs", "rtt", "server", "markdown", "from", "append-verify",
	"help", "defaults-file", "now", "move", "mysql-socket", "contactstring", "import",
}

// TestWrittenFlags: every flag of the program is explained in its page, and every flag that the
// README or a topic names is one of the program.
func TestWrittenFlags(t *testing.T) {
	folder := t.TempDir()
	if code, _, stderr := runMain(t, "man", "--folder", folder); code != 0 {
		t.Fatal(stderr)
	}
	pages, err := filepath.Glob(filepath.Join(folder, "man1", "*"))
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, page := range pages {
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range pageFlag.FindAllStringSubmatch(string(source), -1) {
			name := strings.ReplaceAll(found[1], `\`, "")
			flags[name] = true
			if found[2] == "" || strings.HasPrefix(found[2], ".") {
				t.Errorf("%s does not say what --%s is", page, name)
			}
		}
	}
	if len(flags) < 80 {
		t.Fatalf("only %d flags found in the man pages", len(flags))
	}
	for _, page := range markdownPages() {
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			if foreignCommands.MatchString(strings.TrimSpace(line)) {
				continue
			}
			for _, found := range writtenFlag.FindAllStringSubmatch(line, -1) {
				if name := found[1]; !flags[name] && !slices.Contains(foreignFlags, name) {
					t.Errorf("%s: the program has no flag --%s: %s", page, name, line)
				}
			}
		}
	}
}

// TestManPages: each page is sound roff, and the same sources make the same bytes.
func TestManPages(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"first", "second"} {
		var stderr strings.Builder
		m := gtunnel.Main{
			Args:   []string{"man", "--folder", filepath.Join(folder, name)},
			Stderr: &stderr,
			Getenv: func(name string) string { return map[string]string{"SOURCE_DATE_EPOCH": "1764374400"}[name] },
		}
		if code := m.Run(t.Context()); code != 0 {
			t.Fatal(&stderr)
		}
	}
	pages, err := filepath.Glob(filepath.Join(folder, "first", "man[17]", "*"))
	if err != nil || len(pages) < 50 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range pages {
		one, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(strings.Replace(page, "/first/", "/second/", 1))
		if err != nil || string(one) != string(other) {
			t.Errorf("%s differs at the second time: %v", page, err)
		}
		if !strings.Contains(string(one), ` "2025-11-29" `) {
			t.Errorf("%s has another date", page)
		}
	}
	for _, page := range []string{
		"man1/gtunnel.1", "man1/gtunnel-replication-setup-slave.1", "man7/gtunnel-crl.7", "man7/gtunnel-failover.7",
	} {
		if !slices.Contains(pages, filepath.Join(folder, "first", page)) {
			t.Errorf("there is no %s", page)
		}
	}
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mandoc is missing: .ci/install man")
		}
		t.Skip("mandoc is missing: .ci/install man")
	}
	out, err := exec.CommandContext(t.Context(), mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).
		CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}
