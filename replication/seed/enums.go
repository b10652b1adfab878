package seed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// emptyMember gives the number of the member ” of an ENUM or SET, from 1 on; 0 if it
// has none.
func emptyMember(c *valueColumn) int {
	_, list, _ := strings.Cut(c.columnType, "(")
	return slices.Index(members(strings.TrimSuffix(list, ")")), "") + 1
}

// members reads a list of quoted strings, in which quotes are doubled.
func members(list string) []string {
	var all []string
	for rest := list; strings.HasPrefix(rest, "'"); {
		text, end := "", 1
		for end < len(rest) {
			if rest[end] == '\'' {
				if end+1 == len(rest) || rest[end+1] != '\'' {
					break
				}
				end++
			}
			text += rest[end : end+1]
			end++
		}
		all = append(all, text)
		rest = strings.TrimPrefix(rest[min(end+1, len(rest)):], ",")
	}
	return all
}

// losesNumber is about the number 0 of an ENUM, which stands for no member: its text is
// that of the member ”, if there is one.
func losesNumber(_ server.Version, c *valueColumn) string {
	if c.dataType != "enum" || emptyMember(c) == 0 {
		return ""
	}
	return server.QuoteName(c.name) + "+0 = 0"
}

// numbers notes columns that have it.
func (f *lossyFindings) numbers(_ context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		f.lost = append(f.lost, c.String())
		f.updates = append(f.updates, c.update("''", server.QuoteName(c.name)+"+0 = 0"))
	}
	return nil
}

// losesMember is about the member ” of a SET: the text of a value does not tell
// whether it has it.
func losesMember(_ server.Version, c *valueColumn) string {
	if c.dataType != "set" || emptyMember(c) == 0 {
		return ""
	}
	return hasEmptyMember(c)
}

func hasEmptyMember(c *valueColumn) string {
	return fmt.Sprintf("(%s+0 & %d) <> 0", server.QuoteName(c.name), uint64(1)<<(emptyMember(c)-1))
}

// members notes columns that have it.
func (f *lossyFindings) members(_ context.Context, columns []*valueColumn) error {
	for _, c := range columns {
		f.lost = append(f.lost, c.String())
		without := fmt.Sprintf("%s+0 & ~%d", server.QuoteName(c.name), uint64(1)<<(emptyMember(c)-1))
		f.updates = append(f.updates, c.update(without, hasEmptyMember(c)))
	}
	return nil
}
