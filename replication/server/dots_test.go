package server_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

func TestReplicatesOf(t *testing.T) {
	for _, c := range []struct {
		pattern, database string
		want              bool
	}{
		{"voms.%", "voms", true},
		{"voms.%", "vom", false},
		{`vo\_ms.%`, "vo_ms", true},
		{`vo\_ms.%`, "voxms", false},
		{"vo.example.org.%", "vo.example.org", true},
		{"vo.example.org.%", "vo", false}, // but for tables with a dot in their names
		{"vo.example.org.%", "vo.example", false},
		{"vo.example.org.t", "vo.example.org", true},
		{"voms.t.x", "voms", true},
		{"voms.t", "voms", true},
		{"%.%", "vo.example.org", true},
		{"%", "vo.example.org", true},
		{"vo%.t", "vo.example.org", true},
	} {
		s := &server.SlaveStatus{WildDoTable: []string{"other.%", c.pattern}}
		if got := s.ReplicatesOf(c.database); got != c.want {
			t.Errorf("%s of %s: got %t", c.database, c.pattern, got)
		}
	}
}

func TestSplitTable(t *testing.T) {
	databases := []string{"vo", "vo.example.org", "vo.example"}
	for name, want := range map[string][2]string{
		"vo.t":               {"vo", "t"},
		"vo.example.org.t":   {"vo.example.org", "t"},
		"vo.example.org.t.u": {"vo.example.org", "t.u"},
		"other.t.u":          {"other", "t.u"},
	} {
		if database, table := server.SplitTable(name, databases); database != want[0] || table != want[1] {
			t.Errorf("%s: got %q, %q", name, database, table)
		}
	}
}
