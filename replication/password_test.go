package replication_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
)

// TestPasswordIsNeverPrinted prints one in every way that a log or an error
// might.
func TestPasswordIsNeverPrinted(t *testing.T) {
	p := replication.NewPassword("secret")
	login := replication.Login{Network: "tcp", Address: "127.0.0.1:3306", User: "root", Password: p}
	asJSON, err := json.Marshal(map[string]any{"p": p, "pointer": &p, "login": login})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(asJSON), login.String(), fmt.Sprint(p, &p, login, []replication.Password{p})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		texts = append(texts, fmt.Sprintf(verb, p), fmt.Sprintf(verb, login))
	}
	for _, text := range texts {
		if strings.Contains(text, "secret") || strings.Contains(strings.ToLower(text), "736563726574") {
			t.Errorf("it is shown: %s", text)
		}
	}
	if p.Reveal() != "secret" {
		t.Error("it cannot be had")
	}
	if a, b := replication.GeneratePassword(), replication.GeneratePassword(); a == b || len(a.Reveal()) < 22 {
		t.Error("generated passwords are equal or short")
	}
}
