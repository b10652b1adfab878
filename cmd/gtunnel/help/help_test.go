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
