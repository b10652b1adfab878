package compare

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestRefuseRows refuses tables by what a comparison has found of them.
func TestRefuseRows(t *testing.T) {
	one := Difference{Key: "id", MasterRows: 1, SlaveRows: 1, span: keyRange{after: keyValue{"1"}, upto: keyValue{"1"}}}
	most := one
	most.SlaveRows = mostRepaired
	for want, r := range map[string]TableResult{
		"":                {Differences: []Difference{one, most}[:1]},
		"rows-many":       {Differences: []Difference{one, most}},
		"rows-key":        {Differences: []Difference{{MasterRows: 1}}},
		"rows-definition": {Differences: []Difference{one}, Structure: []string{"an index is missing"}},
	} {
		refused := r.refuseRows()
		got := ""
		if refused != nil {
			got = refused.Code
		}
		if got != want || r.ByRows() != (want == "") {
			t.Errorf("got %q, want %q, and by rows %t", got, want, r.ByRows())
		}
	}
	if refused := (&TableResult{Problem: "missing"}).refuseRows(); refused == nil || refused.Code != otherDefinition {
		t.Errorf("a table that was not compared: %v", refused)
	}
	if refused := (&TableResult{Differences: []Difference{one}, More: 1}).refuseRows(); refused.Code != tooManyRows {
		t.Errorf("a table of which not all is listed: %v", refused)
	}
}

// TestSpans keeps the conditions by which rows are read and deleted.
func TestSpans(t *testing.T) {
	k := &key{columns: []column{{name: "a", kind: "int"}, {name: "b", kind: "varchar", serverCharset: "latin1"}}}
	for want, span := range map[string]keyRange{
		"(`a` = 1 AND `b` = _latin1 X'E9')": {after: keyValue{"1", "E9"}, upto: keyValue{"1", "E9"}},
		"((`a` = 1 AND `b` = _latin1 X'41') OR ((`a` > 1 OR (`a` = 1 AND `b` > _latin1 X'41')) AND" +
			" (`a` < 2 OR (`a` = 2 AND `b` <= _latin1 X''))))": {after: keyValue{"1", "41"}, upto: keyValue{"2", ""}},
	} {
		if got := k.span(span); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestWrite keeps the literals of values.
func TestWrite(t *testing.T) {
	v := server.Version{Family: server.MySQL, Major: 9}
	for want, c := range map[string]struct {
		column column
		is     value
	}{
		"NULL":                           {column{kind: "int"}, value{null: true}},
		"-0.5":                           {column{kind: "decimal"}, value{text: "-0.5"}},
		"'-0'":                           {column{kind: "double"}, value{text: "-0"}},
		"X'00'":                          {column{kind: "blob"}, value{text: "00"}},
		"_ucs2 X'0041'":                  {column{kind: "text", serverCharset: "ucs2"}, value{text: "0041"}},
		"CAST(_utf8mb4 X'7B7D' AS JSON)": {column{kind: "json"}, value{text: "7B7D"}},
	} {
		if got := c.column.write(v, c.is); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
