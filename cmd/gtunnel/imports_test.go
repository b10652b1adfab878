package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gtunnel/gtunnel"

// listedPackage is what `go list -json` says of a package, as far as it
// matters here.
type listedPackage struct {
	ImportPath string
	Doc        string
	Deps       []string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Deps,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// These are for tests alone.
const (
	pairsPath      = module + "/replication/servertest/pairs"
	failoverPath   = module + "/replication/failover/failovertest"
	simulationPath = module + "/replication/failover/simulation"
)

// imports are what a package may reach, and (directly) import, beyond the standard library.
var imports = map[string][]string{
	module + "/certs": {
		"golang.org/x/crypto", module + "/certs/internal/crl", module + "/certs/internal/dn",
		module + "/certs/internal/files", module + "/certs/internal/policy",
	},
	module + "/certs/internal/crl": {
		"golang.org/x/crypto", module + "/certs/internal/dn", module + "/certs/internal/files",
	},
	module + "/certs/internal/policy":  {module + "/certs/internal/dn", module + "/certs/internal/files"},
	module + "/certs/internal/dn":      {"golang.org/x/crypto"},
	module + "/certs/internal/files":   {"golang.org/x/crypto"},
	module + "/certs/internal/dertest": {"golang.org/x/crypto"},
	module + "/certs/certstest":        {"golang.org/x/crypto"},
	module + "/tunnel": {
		module + "/certs", "go.uber.org/zap", "github.com/prometheus/client_golang", "github.com/pires/go-proxyproto",
		"golang.org/x/sys", "golang.org/x/time",
	},
	module + "/replication/servertest":        {"github.com/go-sql-driver/mysql"},
	module + "/replication/servertest/corpus": {module + "/replication/servertest"},

	module + "/cmd/gtunnel/help":  {"github.com/yuin/goldmark"},
	module + "/cmd/gtunnel/usage": {},
	module + "/cmd/gtunnel/voms":  {module + "/cmd/gtunnel/usage"},
	module + "/cmd/gtunnel/page": {
		module + "/certs", module + "/tunnel", module + "/replication/finding", "go.uber.org/zap",
	},
	module + "/cmd/gtunnel/terminal": {"github.com/cheggaaa/pb", "golang.org/x/sys", "golang.org/x/term"},
	module + "/cmd/gtunnel/config": {
		module + "/certs", module + "/tunnel", module + "/cmd/gtunnel/usage", module + "/replication/finding",
		"github.com/spf13", "github.com/BurntSushi/toml", "go.uber.org/zap",
	},
	pairsPath: {
		module + "/replication/finding", module + "/replication/server", module + "/replication/facts",
		module + "/replication/servertest",
	},
	simulationPath: {}, // its comment alone is no test
	failoverPath: {
		"github.com/go-sql-driver/mysql",
		module + "/replication/finding", module + "/replication/server", module + "/replication/facts",
		module + "/replication/term", module + "/replication/failover", module + "/replication/servertest",
	},
}

// rooms are those of replication, from the ground up: each may use those above it
// in this list, and what is beside it.
var rooms = []struct {
	path   string
	others []string
}{
	{"/replication/finding", nil},
	{"/replication/server", []string{"github.com/go-sql-driver/mysql", "golang.org/x/sys"}},
	{"/replication/optionfile", nil},
	{"/replication/facts", []string{"golang.org/x/sys"}},
	{"/replication/journal", nil},
	{"/replication/term", []string{"golang.org/x/sys"}},
	{"/replication/rules", nil},
	{"/replication/seed", []string{"github.com/klauspost/compress", "golang.org/x/sys", "golang.org/x/time"}},
	{"/replication/compare", nil},
	{"/replication/watch", nil},
	{"/replication", nil},
	{"/replication/failover", []string{"golang.org/x/sys"}},
}

// TestImports keeps the direction in which the packages may use each other,
// also through others: cmd -> tunnel -> certs, and within certs: certs -> crl,
// policy -> dn, files.
func TestImports(t *testing.T) {
	standard := func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return !strings.Contains(first, ".") || strings.HasPrefix(path, "vendor/")
	}
	within := func(path string, roots ...string) bool {
		return slices.ContainsFunc(roots, func(root string) bool {
			return path == root || strings.HasPrefix(path, root+"/")
		})
	}
	direct := maps.Clone(imports)
	var above []string
	for _, room := range rooms {
		direct[module+room.path] = slices.Concat(room.others, above)
		above = append(above, module+room.path)
	}
	never := []string{"github.com/spf13", "github.com/BurntSushi/toml", module + "/cmd", module + "/examples", "testing"}

	seen := 0
	for _, p := range listPackages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		allowed, watched := direct[p.ImportPath]
		if !watched {
			if !within(p.ImportPath, module+"/cmd", module+"/examples") {
				t.Errorf("%s: no rule says what it may import; add one here and to .golangci.yml", p.ImportPath)
			}
			continue
		}
		seen++
		for _, path := range p.Imports {
			if !standard(path) && !within(path, allowed...) {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
		for _, path := range p.Deps {
			if within(path, never...) && !within(p.ImportPath, module+"/cmd") &&
				(path != "testing" || p.ImportPath != pairsPath && p.ImportPath != failoverPath) {
				t.Errorf("%s depends on %s", p.ImportPath, path)
			}
		}
	}
	if seen < len(direct) {
		t.Fatalf("go list showed %d of the packages with rules: was one renamed?", seen)
	}
}
