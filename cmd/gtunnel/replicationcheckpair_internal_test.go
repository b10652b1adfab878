package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestCheckTellsHooks: the check tells a program of the pair that is missing, before the pair
// is set up, too.
func TestCheckTellsHooks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ca, err := certstest.NewCA("one", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	host, err := ca.NewHost("a.test", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := host.Write(folder); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "gtunnel.toml")
	text := "[tls]\ncert = \"hostcert.pem\"\nkey = \"hostkey.pem\"\n[pair]\nhosts = [\"a.test\", \"b.test\"]\n" +
		"post_promote = \"/nonexist/after\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &replicationCheck{}
	c.pair.presets()
	c.pair.config, c.pair.stateDir = file, filepath.Join(folder, "state")
	m := &Main{Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)}
	var found findings
	if isPair, err := m.checkPair(t.Context(), c, &found); isPair || err != nil {
		t.Fatal(isPair, err)
	}
	if found.problems() != 1 || !strings.HasSuffix(found[0].Text, "pair.post_promote: /nonexist/after: no such file") ||
		!strings.HasPrefix(found[0].Cure, "install the program there") {
		t.Errorf("%+v", found)
	}
}
