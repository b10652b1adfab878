package help

import (
	"strings"
	"testing"
)

// page has all that topics use.
const page = "# Title\n\nA line with `code`, *words*, snake_case, a\\*star and [a topic](crl.md), " +
	"[`gtunnel help crl`](crl.md), [below](#part), [a file](../../../../SECURITY.md), <https://go.dev/>.\n\n" +
	"## Part\n\n- one\n- two, which is a long item that does not fit in one line of a terminal of eighty columns\n\n" +
	"1. First:\n\n       indented code\n         deeper\n\n   more\n2. Second\n\n" +
	"```\nfenced code\n```\n\n<!-- a comment -->\n\n" +
	"| name | meaning |\n| --- | --- |\n| `a` | short |\n| `b\\|c` | a long text that is broken into lines at the width " +
	"of a terminal, below itself |\n\n" +
	"| key | value | preset |\n| --- | --- | --- |\n| `accept` | an address that is long enough | `127.0.0.1:3307 of a " +
	"client, and :3307 of a server` |\n| `a_key_with_a_name` | an address | none |\n"

func TestPlain(t *testing.T) {
	r := renderer{source: []byte(page), linkTo: inTerminal}
	const want = `Title
=====

A line with ` + "`code`" + `, words, snake_case, a*star and a topic (gtunnel help crl),
` + "`gtunnel help crl`" + `, below, a file (SECURITY.md of the sources), https://go.dev/.

Part
----

- one
- two, which is a long item that does not fit in one line of a terminal of
  eighty columns

1. First:

       indented code
         deeper

   more

2. Second

    fenced code

name  meaning
----  --------------------------------------------------------------------------
a     short
b|c   a long text that is broken into lines at the width of a terminal, below
      itself

key
---
accept
    value: an address that is long enough
    preset: ` + "`127.0.0.1:3307 of a client, and :3307 of a server`" + `
a_key_with_a_name
    value: an address
    preset: none`
	if got := strings.Join(r.blocks(parse(r.source), width), "\n"); got != want {
		t.Errorf("it is\n%s", got)
	}
}

func TestMan(t *testing.T) {
	m := man{renderer: renderer{source: []byte(page), linkTo: inManPage}}
	for _, n := range childrenOf(parse(m.source)) {
		m.block(n)
	}
	for _, want := range []string{
		".SH Title\nA line with \\(gacode\\(ga, words, snake_case, a*star and a topic (gtunnel\\-crl(7)), gtunnel\\-crl(7)",
		".IP \\(bu 2\none\n.IP \\(bu 2\ntwo,",
		".IP 1. 4\nFirst:\n.RS 4\n.PP\n.RS 4\n.nf\nindented code\n  deeper\n.fi\n.RE\n.RE\n",
		".RE\n.RS 4\n.PP\nmore\n.RE\n.IP 2. 4\nSecond\n",
		".TP\n\\fBb|c\\fR\na long text",
		".TP\n\\fBaccept\\fR\nvalue: an address that is long enough\n.br\npreset: ",
	} {
		if !strings.Contains(m.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &m)
		}
	}
}
