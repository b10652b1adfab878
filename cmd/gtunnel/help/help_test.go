package help_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// TestTopics: every topic has a title and can be written.
func TestTopics(t *testing.T) {
	topics := help.Topics()
	if !slices.Contains(topics, "codes") {
		t.Errorf("the topics are %q", topics)
	}
	for _, topic := range topics {
		var text bytes.Buffer
		if err := help.Write(&text, topic, help.Tables{}); err != nil {
			t.Error(err)
		}
		title := help.Title(topic)
		if title == "" || !strings.HasPrefix(text.String(), "# "+title+"\n") {
			t.Errorf("%s: the title is %q, and the text\n%s", topic, title, &text)
		}
	}
}

func TestCodes(t *testing.T) {
	var text bytes.Buffer
	tables := help.Tables{Codes: []help.Code{
		{Code: "revoked", Meaning: "a CA has revoked a certificate", Cure: "Ask it for a new one."},
		{Code: "expired", Meaning: "a certificate is past its notAfter"},
	}}
	if err := help.Write(&text, "codes", tables); err != nil {
		t.Fatal(err)
	}
	const want = "\n\n" +
		"revoked                     a CA has revoked a certificate\n" +
		"                            hint: Ask it for a new one.\n" +
		"expired                     a certificate is past its notAfter\n"
	if !strings.HasSuffix(text.String(), want) {
		t.Errorf("the topic does not end in %q:\n%s", want, &text)
	}
}

// TestFindings: what is long is broken into lines, below the code.
func TestFindings(t *testing.T) {
	var text bytes.Buffer
	tables := help.Tables{Findings: []help.Finding{
		{Code: "clocks", Where: "status", Meaning: "the clocks differ", Cure: strings.Repeat("run chronyd ", 8)},
		{Code: "until", Where: "status", Meaning: "the slave will stop"},
	}}
	if err := help.Write(&text, "findings", tables); err != nil {
		t.Fatal(err)
	}
	want := "\nclocks (status)\n    the clocks differ\n    hint: " + strings.Repeat("run chronyd ", 5) + "run\n" +
		"          chronyd run chronyd run chronyd\n\nuntil (status)\n    the slave will stop\n"
	if !strings.HasSuffix(text.String(), want) {
		t.Errorf("the topic does not end in %q:\n%s", want, &text)
	}
}

// TestWriteMan: no line is one of roff's own requests.
func TestWriteMan(t *testing.T) {
	var text bytes.Buffer
	tables := help.Tables{Codes: []help.Code{{Code: ".so", Meaning: `a\b 'c' -d`}}}
	if err := help.WriteMan(&text, "codes", tables); err != nil {
		t.Fatal(err)
	}
	if want := "\n\\&.so                         a\\eb \\(aqc\\(aq \\-d\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("the page does not end in %q:\n%s", want, &text)
	}
	if !strings.HasPrefix(text.String(), ".TH GTUNNEL-CODES 7\n.SH NAME\ngtunnel\\-codes \\- ") {
		t.Errorf("the page begins wrongly:\n%s", &text)
	}
}
