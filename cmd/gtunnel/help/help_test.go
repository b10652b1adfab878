package help_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// TestTopics: every topic has a title, which it begins with.
func TestTopics(t *testing.T) {
	topics := help.Topics()
	if !slices.Contains(topics, "codes") || !slices.IsSorted(topics) {
		t.Errorf("the topics are %q", topics)
	}
	for _, topic := range topics {
		title := help.Title(topic)
		if title == "" || !strings.HasPrefix(help.Markdown(topic), "# "+title+"\n\n") {
			t.Errorf("%s: the title is %q", topic, title)
		}
		var text strings.Builder
		if err := help.Write(&text, topic); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(text.String(), title+"\n===") {
			t.Errorf("%s begins with %.80q", topic, &text)
		}
	}
}

// TestWriteCommand: the page has all that there is, and no line is one of roff's own requests.
func TestWriteCommand(t *testing.T) {
	var page strings.Builder
	err := help.WriteCommand(&page, help.Command{
		Name: "gtunnel log-level", Summary: "the level", Usage: "gtunnel log-level [LEVEL]",
		Text:     ".so is no request,\n'nor is this.\n\n  [tls]\n  a = \"b\\c\"\n\nAnd so on.",
		Groups:   []help.Group{{Title: "Flags", Flags: []help.Entry{{Name: "--admin ADDRESS", Text: "where"}}}},
		Examples: "  gtunnel log-level debug\n\n  .de\n", SeeAlso: []string{"gtunnel(1)", "gtunnel-reload(1)"},
	}, "2026-11-29")
	if err != nil {
		t.Fatal(err)
	}
	const want = `.TH GTUNNEL-LOG-LEVEL 1 "2026-11-29" gtunnel gtunnel
.SH NAME
gtunnel\-log\-level \- the level
.SH SYNOPSIS
gtunnel log\-level [LEVEL]
.SH DESCRIPTION
\&.so is no request,
\(aqnor is this.
.PP
.RS 4
.nf
  [tls]
  a = \(dqb\ec\(dq
.fi
.RE
.PP
And so on.
.SH OPTIONS
.SS Flags
.TP
\fB\-\-admin ADDRESS\fR
where
.SH EXAMPLES
.RS 4
.nf
  gtunnel log\-level debug
\&
  .de
.fi
.RE
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage or configuration.
.SH SEE ALSO
gtunnel(1), gtunnel\-reload(1)
`
	if page.String() != want {
		t.Errorf("the page is\n%s", &page)
	}
}
