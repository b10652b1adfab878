package seed

import (
	"context"
	"fmt"

	"github.com/gtunnel/gtunnel/replication/server"
)

// sameInUnicode are the character sets whose text comes back from Unicode, in which a
// dump is, as it was. In others several letters are one of Unicode: of sjis, the
// backslash and a wide one.
const sameInUnicode = "'ascii', 'binary', 'latin1', 'utf8', 'utf8mb3', 'utf8mb4', 'ucs2', 'utf16', 'utf16le', 'utf32'"

// textTypes are those of columns with text.
const textTypes = "'char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext'"

// oddText is the condition of a column with such text.
const oddText = "(c.data_type IN (" + textTypes + ") AND c.character_set_name NOT IN (" + sameInUnicode + "))"

// losesText is about text that comes back from Unicode as another one.
func losesText(_ server.Version, c *valueColumn) string {
	if c.charset == "" {
		return ""
	}
	return fmt.Sprintf("CAST(%s AS BINARY) <> CAST(%s AS BINARY)", server.QuoteName(c.name), throughUnicode(c))
}

func throughUnicode(c *valueColumn) string {
	return fmt.Sprintf("CONVERT(CONVERT(%s USING utf8mb4) USING %s)", server.QuoteName(c.name), c.charset)
}

// text notes columns that have it.
func (f *lossyFindings) text(_ context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		f.lost = append(f.lost, c.String())
		f.updates = append(f.updates, c.update(throughUnicode(c), losesText(server.Version{}, c)))
	}
	return nil
}
