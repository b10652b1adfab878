package seed

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// JSON of MySQL's may hold what JSON text cannot say: a DECIMAL, moments, binary
// strings, and which of its numbers are unsigned. MariaDB's is text.

// jsonText is a JSON value as its text.
func jsonText(value string) string { return "CAST(" + value + " AS CHAR CHARACTER SET utf8mb4)" }

// jsonAgain is what a dump makes of a JSON value.
func jsonAgain(value string) string { return "CAST(" + jsonText(value) + " AS JSON)" }

// losesJSON is about values whose text becomes another.
func losesJSON(v server.Version, c *valueColumn) string {
	if v.Family != server.MySQL || c.dataType != "json" {
		return ""
	}
	name := server.QuoteName(c.name)
	return fmt.Sprintf("CAST(%s AS BINARY) <> CAST(%s AS BINARY)", jsonText(name), jsonText(jsonAgain(name)))
}

// losesTypes is about values whose parts become others of the same text.
func losesTypes(v server.Version, c *valueColumn) string {
	if !v.AtLeast(server.MySQL, 8, 0, 4) || c.dataType != "json" {
		return ""
	}
	name := server.QuoteName(c.name)
	return jsonTypes(name) + " <> " + jsonTypes(jsonAgain(name))
}

// LosesJSON is the condition that a JSON column of MySQL's has a value that its text does
// not say.
func LosesJSON(v server.Version, column string) string {
	c := &valueColumn{name: column, dataType: "json"}
	condition := losesJSON(v, c)
	if types := losesTypes(v, c); types != "" {
		condition = "(" + condition + ") OR " + types
	}
	return condition
}

// jsonTypes is a number of the types of all parts of a JSON value.
func jsonTypes(value string) string {
	return "(SELECT SUM(CRC32(CONCAT(n, JSON_TYPE(v)))) FROM JSON_TABLE(JSON_EXTRACT(" + value +
		", '$', '$**.*', '$**[*]'), '$[*]' COLUMNS (n FOR ORDINALITY, v JSON PATH '$')) AS parts)"
}

// json notes columns whose values become others: the copy would never be equal.
func (f *lossyFindings) json(ctx context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		if err := f.retypeJSON(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// types notes columns whose values become others of the same text, which matters
// where rows are looked for by them.
func (f *lossyFindings) types(ctx context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		keyed, err := f.findsRows(ctx, c)
		if err == nil && keyed {
			f.retyped = append(f.retyped, c.String())
		} else if err == nil {
			err = f.retypeJSON(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retypeJSON notes a column, with what makes of all its values what their text says:
// to the server, values that differ in types alone are equal, and no UPDATE changes
// them.
func (f *lossyFindings) retypeJSON(ctx context.Context, c *valueColumn) error {
	definition, err := f.definition(ctx, c)
	if err != nil {
		return err
	}
	f.changed = addLines(f.changed, c.String())
	f.retype = addLines(f.retype, modify(c, jsonType.ReplaceAllString(definition, "longtext"), definition)...)
	return nil
}

// jsonType is the type of a JSON column at the beginning of its definition.
var jsonType = regexp.MustCompile(`^json`)

// tellJSON says which columns have such values.
func (f *lossyFindings) tellJSON() {
	const held = "JSON columns hold what JSON text cannot say (DECIMAL, moments, binary strings, unsigned numbers)"
	if len(f.changed) > 0 {
		f.check.Problem(finding.Master, "json-values",
			"on the master, while nobody uses these tables, to give them the values that a copy would have"+clones+":\n"+
				strings.Join(f.retype, "\n"),
			held+": the copy would not be equal, or, in a table without a primary key,"+
				" the slave not find its rows when they are changed (error 1032): %s", finding.Items(f.changed))
	}
	retyped := f.retyped[:0]
	for _, name := range f.retyped {
		if len(addLines(f.changed, name)) > len(f.changed) {
			retyped = append(retyped, name)
		}
	}
	if len(retyped) > 0 {
		f.check.Warn(finding.Master, "json-values", "if the types matter, copy them otherwise"+clones,
			held+": the copy has the same text, and other types: %s", finding.Items(retyped))
	}
}
