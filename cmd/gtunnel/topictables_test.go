package main_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/tunnel"
)

// update has TestTopicTables write what it wants.
var update = flag.Bool("update", false, "write the tables of the topics and of the README anew")

// tableMark is where a page has a table that the program knows.
var tableMark = regexp.MustCompile(`(?s)<!-- table: ([^\n]*) -->\n(.*?)<!-- end -->\n`)

// markdownPages are the README and the topics, by their paths from here.
func markdownPages() []string {
	pages := []string{filepath.Join("..", "..", "README.md")}
	for _, topic := range help.Topics() {
		pages = append(pages, filepath.Join("help", "topics", topic+".md"))
	}
	return pages
}

// TestTopicTables: tables of codes, findings, keys and topics are what the program has.
// After a change of these: go test ./cmd/gtunnel -run TestTopicTables -update
func TestTopicTables(t *testing.T) {
	tables := topicTables()
	used := map[string]bool{}
	for _, page := range markdownPages() {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := tableMark.ReplaceAllStringFunc(string(data), func(found string) string {
			name := tableMark.FindStringSubmatch(found)[1]
			table, ok := tables[name]
			if !ok {
				t.Errorf("%s: there is no table %s", page, name)
			}
			used[name] = true
			return "<!-- table: " + name + " -->\n" + table + "<!-- end -->\n"
		})
		switch {
		case want == string(data):
		case *update:
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s has a table that is not the program's: go test ./cmd/gtunnel -run TestTopicTables -update", page)
		}
	}
	for name := range tables {
		if !used[name] {
			t.Errorf("no page has the table %s", name)
		}
	}
}

// topicTables are the tables by their names.
func topicTables() map[string]string {
	var codes, findings, topics [][]string
	flags := new(config.Config)
	for _, c := range slices.Concat(certs.Codes(), tunnel.Codes()) {
		codes = append(codes, []string{code(string(c.Code)), cell(flags.Words(c.Meaning)), cell(flags.Words(c.Cure))})
	}
	for _, c := range rules.Codes() {
		findings = append(findings,
			[]string{code(c.Code), cell(c.At.String()), cell(c.Meaning), cell(finding.WithNames(c.Cure, nil))})
	}
	for _, topic := range help.Topics() {
		topics = append(topics,
			[]string{fmt.Sprintf("[%s](cmd/gtunnel/help/topics/%s.md)", topic, topic), help.Title(topic)})
	}
	tables := map[string]string{
		"codes":    table([]string{"code", "meaning", "hint"}, codes),
		"findings": table([]string{"code", "found by", "meaning", "hint"}, findings),
		"topics":   table([]string{"topic", ""}, topics),
	}
	keys := map[string][][]string{}
	for _, k := range config.Keys() {
		preset := ""
		if k.Preset != "" {
			preset = code(k.Preset)
		}
		keys[k.Section] = append(keys[k.Section], []string{code(k.Name), cell(k.Kind), preset, cell(k.Usage)})
	}
	for section, rows := range keys {
		tables[section] = table([]string{"key", "value", "default", "what it is"}, rows)
	}
	return tables
}

// table is a table of Markdown.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	write := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	write(head)
	b.WriteString(strings.Repeat("| --- ", len(head)) + "|\n")
	for _, row := range rows {
		write(row)
	}
	return b.String()
}

func code(text string) string { return "`" + text + "`" }

// marks are characters that Markdown could take for its own.
var marks = regexp.MustCompile("[\\\\`*<>|\\[\\]~]|\\b_|_\\b")

// cell is text that stands in a table as it is.
func cell(text string) string { return marks.ReplaceAllString(text, `\$0`) }

// TestPresets: what the settings say of presets that other packages have.
func TestPresets(t *testing.T) {
	for _, k := range config.Keys() {
		if k.Usage == "" || k.Kind == "" {
			t.Errorf("%s %s is not described", k.Section, k.Name)
		}
		if k.Name == "hook_timeout" && k.Preset != finding.FormatDuration(failover.HookTimeout) {
			t.Errorf("hook_timeout is said to be %s", cmp.Or(k.Preset, "nothing"))
		}
	}
}
