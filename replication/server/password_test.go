package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// TestPasswordIsNeverPrinted prints one in every way that a log or an error
// might.
func TestPasswordIsNeverPrinted(t *testing.T) {
	p := server.NewPassword("secret")
	login := server.Login{Network: "tcp", Address: "127.0.0.1:3306", User: "root", Password: p}
	asJSON, err := json.Marshal(map[string]any{"p": p, "pointer": &p, "login": login})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(asJSON), login.String(), fmt.Sprint(p, &p, login, []server.Password{p})}
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
	a, b := server.GeneratePassword(), server.GeneratePassword()
	if n := len(a.Reveal()); a == b || n < 22 || n > 32 { // CHANGE MASTER takes 32
		t.Error("generated passwords are equal, short or long")
	}
	for _, wanted := range []string{upper, strings.ToLower(upper), "0123456789", "-"} { // by password policies
		if !strings.ContainsAny(a.Reveal(), wanted) {
			t.Errorf("a generated password has none of %s", wanted)
		}
	}
}
