package seed

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// losesDigits is about FLOATs: servers print them with six digits (MySQL manual,
// "Problems with Floating-Point Values").
func losesDigits(_ server.Version, c *valueColumn) string {
	if c.dataType != "float" {
		return ""
	}
	name := server.QuoteName(c.name)
	return fmt.Sprintf("%s+0e0 <> CONCAT(%s)+0e0", name, name)
}

// digits notes columns with more of them.
func (f *lossyFindings) digits(ctx context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		keyed, err := f.findsRows(ctx, c)
		if err != nil {
			return err
		}
		if keyed {
			f.rounded = append(f.rounded, c.String())
			continue
		}
		definition, err := f.definition(ctx, c)
		if err != nil {
			return err
		}
		f.unfound = append(f.unfound, c.String())
		f.doubles = addLines(f.doubles, modify(c, floatType.ReplaceAllString(definition, "double"))...)
	}
	return nil
}

// floatType is the type of a FLOAT column at the beginning of its definition.
var floatType = regexp.MustCompile(`^float(?:\(\d+(?:,\d+)?\))?`)

// tellFloats says which columns have more digits.
func (f *lossyFindings) tellFloats() {
	if len(f.rounded) > 0 {
		f.check.Warn(finding.Master, "float-digits",
			"if the digits matter, ALTER TABLE ... MODIFY them to DOUBLE on the master first"+clones,
			"FLOAT columns hold values of more than six digits, which are all that a dump and a comparison have;"+
				" the copy is rounded: %s", finding.Items(f.rounded))
	}
	if len(f.unfound) > 0 {
		f.check.Problem(finding.Master, "float-digits",
			"on the master, or give these tables a primary key without such columns"+clones+":\n"+
				strings.Join(f.doubles, "\n"),
			"FLOAT columns hold values of more than six digits, which are all that a dump has,"+
				" in tables without a primary key:"+
				" the slave would not find their rows when they are changed (error 1032): %s", finding.Items(f.unfound))
	}
}

// losesSign is about a zero below zero, which is read as the whole number 0. Newer
// servers of MariaDB store none.
func losesSign(_ server.Version, c *valueColumn) string {
	if c.dataType != "float" && c.dataType != "double" {
		return ""
	}
	return isNegativeZero(c)
}

func isNegativeZero(c *valueColumn) string {
	name := server.QuoteName(c.name)
	return fmt.Sprintf("%s = 0 AND CONCAT(%s) LIKE '-%%'", name, name)
}

// signs notes columns that have one.
func (f *lossyFindings) signs(_ context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		f.lost = append(f.lost, c.String())
		f.updates = append(f.updates, c.update("0", isNegativeZero(c)))
	}
	return nil
}
