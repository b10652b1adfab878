package certs_test

import (
	"crypto/tls"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// insecureSwitches are the names in crypto/tls that weaken its verification.
var insecureSwitches = []string{
	"InsecureSkipVerify", "RequireAnyClientCert", "RequestClientCert", "VerifyPeerCertificate",
}

// TestInsecureSwitchesInOnePlace reads all of the program's source (what
// measures programs, tunnelbench, plays their strangers and is none): the
// switches appear in endpoint.go, together with the hook that replaces what
// they turn off, and nowhere else; nor does anything else make a tls.Config.
// probe.go and offer.go alone change one, and hand out no connection.
func TestInsecureSwitchesInOnePlace(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "tunnelbench" {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		uses := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"crypto/tls"` })
		if !uses || path == filepath.Join("..", "certs", "endpoint.go") {
			return nil
		}
		words := append([]string{"tls.Config{", "tls.Client(", "tls.Server(", "tls.Dial", "tls.Listen"}, insecureSwitches...)
		switch path {
		case filepath.Join("..", "certs", "probe.go"):
			words = slices.DeleteFunc(words, func(word string) bool { return word == "tls.Client(" })
			words = append(words, "*tls.Conn")
		case filepath.Join("..", "certs", "offer.go"): // which talks to itself
			words = slices.DeleteFunc(words, func(word string) bool { return word == "tls.Client(" || word == "tls.Server(" })
			words = append(words, "*tls.Conn")
		}
		for _, word := range words {
			if strings.Contains(string(source), word) {
				t.Errorf("%s uses %s: certs/endpoint.go alone may", path, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files were read", files)
	}
	source := string(must(os.ReadFile("endpoint.go")))
	if n := strings.Count(source, "&tls.Config{"); n != 1 {
		t.Errorf("endpoint.go makes a tls.Config in %d places, want one", n)
	}
	if !strings.Contains(source, "VerifyConnection:       judge.verifyConnection,") {
		t.Error("the one tls.Config has no VerifyConnection")
	}
}

// TestConfigsHaveTheHook looks at what crypto/tls is given.
func TestConfigsHaveTheHook(t *testing.T) {
	s := newSite(t)
	server, client := s.client.Configs()
	if server.ClientAuth != tls.RequireAnyClientCert || !client.InsecureSkipVerify {
		t.Error("crypto/tls verifies by its own rules")
	}
	resuming := must(server.GetConfigForClient(&tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS12, tls.VersionTLS13},
	}))
	if resuming.SessionTicketsDisabled || resuming.WrapSession == nil || resuming.UnwrapSession == nil ||
		resuming.MinVersion != tls.VersionTLS13 || resuming.ClientAuth != tls.RequireAnyClientCert {
		t.Errorf("for TLS 1.3: %+v", resuming)
	}
	if err := resuming.VerifyConnection(tls.ConnectionState{DidResume: true}); err == nil {
		t.Error("a session without a certificate is resumed")
	}
	if other := must(
		server.GetConfigForClient(&tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS12}}),
	); other != nil {
		t.Errorf("for TLS 1.2: %+v", other)
	}
	checked := must(server.GetConfigForClient(&tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS12, tls.VersionTLS13},
		SupportedProtos:   []string{"other", certs.CheckProtocol},
	}))
	if checked.ClientAuth != tls.RequireAnyClientCert {
		t.Errorf("for a check: %+v", checked)
	}
	for name, config := range map[string]*tls.Config{"server": server, "client": client, "server that is " +
		"checked": checked} {
		if config.VerifyConnection == nil {
			t.Fatalf("%s: no VerifyConnection", name)
		}
		if err := config.VerifyConnection(tls.ConnectionState{}); err == nil {
			t.Errorf("%s: the hook accepts a peer without a certificate", name)
		}
		if !config.SessionTicketsDisabled || config.ClientSessionCache != nil {
			t.Errorf("%s: sessions can be resumed", name)
		}
		if config.MinVersion != tls.VersionTLS12 || config.ClientCAs != nil || config.RootCAs != nil ||
			config.VerifyPeerCertificate != nil {
			t.Errorf("%s: %+v", name, config)
		}
	}
}
