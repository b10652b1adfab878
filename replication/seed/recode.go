package seed

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A server keeps the names, definers and comments of routines, triggers and events
// in UTF-8, and their bodies in the character set of the client that made them.
// The tools write both as they are, into one statement that is read in the
// character set of that client (tried on MariaDB 10.11 and MySQL 9.7): names that
// are not plain ASCII would be garbled by it.

// recoded is a part of a dump, as the tool writes it and as it has to be.
type recoded struct{ from, to []byte }

// recodings are those of a dump by the character set that they are in.
type recodings map[string][]recoded

// codeHeads are the queries of what has such a part, for a list of databases to
// follow.
var codeHeads = []string{
	"SELECT 'EVENT' AS kind, event_schema AS d, event_name AS n, definer, event_comment AS comment," +
		" character_set_client AS cs FROM information_schema.events WHERE event_schema",
	"SELECT routine_type, routine_schema, routine_name, definer, routine_comment," +
		" character_set_client FROM information_schema.routines WHERE routine_schema",
	"SELECT 'TRIGGER', trigger_schema, trigger_name, definer, ''," +
		" character_set_client FROM information_schema.triggers WHERE trigger_schema",
}

// recodings finds what of the master's databases has to be recoded. What cannot be
// said in the client's character set is given as unsayable.
func (s *Seed) recodings(ctx context.Context) (found recodings, unsayable []string, err error) {
	in := " IN (" + server.QuoteExactly(s.databases()) + ")"
	rows, err := s.Master.Query(ctx, s.Master.DB, strings.Join(codeHeads, in+" UNION ALL ")+in)
	if err != nil {
		return nil, nil, err
	}
	parts := codeParts(rows)
	encoded := make([]string, len(parts))
	err = server.Each(ctx, s.Master, s.Master.DB, parts, func(ctx context.Context, i int, p codePart) (err error) {
		encoded[i], err = facts.Encode(ctx, s.Master, s.Master.DB, p.text, p.of["cs"])
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	found = recodings{}
	for i, p := range parts {
		r, cs := p.of, p.of["cs"]
		if encoded[i] == "" || len(encoded[i]) > len(p.text) {
			unsayable = append(unsayable, strings.ToLower(r["kind"])+" "+r["d"]+"."+r["n"]+" ("+cs+")")
			continue
		}
		one := recoded{from: fmt.Appendf(nil, p.format, p.text), to: fmt.Appendf(nil, p.format, encoded[i])}
		found[cs] = append(found[cs], one)
	}
	return found, unsayable, nil
}

// codePart is a part that has to be recoded, of a row of codeHeads, and where in a
// statement it stands.
type codePart struct {
	of           server.Record
	format, text string
}

// codeParts are those of the rows.
func codeParts(rows []server.Record) []codePart {
	var parts []codePart
	for _, r := range rows {
		if facts.IsUTF8(r["cs"]) {
			continue
		}
		user, host, _ := server.SplitAccount(r["definer"])
		for _, part := range []codePart{
			{r, r["kind"] + " %s", server.QuoteName(r["n"])},
			{r, "DEFINER=%s@" + server.QuoteName(host), server.QuoteName(user)},
			{r, "COMMENT %s", quoteComment(r["comment"])},
		} {
			if !isASCII([]byte(part.text)) {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// quoteComment is a comment as a SHOW CREATE has it.
func quoteComment(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(text) + "'"
}

// clientLine is the line of a dump that sets the character set of what follows.
var clientLine = regexp.MustCompile(`^/\*!\d+ SET character_set_client\s*= (\w+) \*/`)

// codeLines are how the lines begin that have such parts.
var codeLines = [][]byte{
	[]byte("/*!50003 CREATE*/"), []byte("/*!50106 CREATE*/"), []byte("CREATE "), []byte("    COMMENT "),
}

// isCode reports whether a line may have a part to recode.
func isCode(line []byte) bool {
	return slices.ContainsFunc(codeLines, func(begin []byte) bool { return bytes.HasPrefix(line, begin) })
}

// apply recodes a line in its place, which spaces fill that are left. It is of a
// client of a character set.
func (r recodings) apply(line []byte, client string) {
	for _, part := range r[client] {
		if at := bytes.Index(line, part.from); at >= 0 {
			end := at + copy(line[at:], part.to)
			for ; end < at+len(part.from); end++ {
				line[end] = ' '
			}
		}
	}
}

// codeNames finds code whose name, definer or comment the character set of its client
// does not have: a dump cannot say it.
func (c *seedCheck) codeNames(ctx context.Context) error {
	_, unsayable, err := c.seed.recodings(ctx)
	if err == nil && len(unsayable) > 0 {
		c.Problem(finding.Master, "code-charset",
			"make them anew on the master by a client that says SET NAMES utf8mb4: SHOW CREATE has the text",
			"names, definers or comments have characters that are not in the character set of the client"+
				" that made what they are of, which a dump is in: %s", finding.Items(unsayable))
	}
	return err
}
