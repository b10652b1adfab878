package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
)

func (m *Main) certsListCommand() *cobra.Command {
	t, asJSON := config.NewTunnel("", ""), false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "The CAs that this host trusts, and the state of their files",
		Long: `Lists each CA with both hash names of its files, the days until its end, its
policy files, and its revocation list (CRL): age, and when the next is due. Then
what is wrong, and what --crl makes of the lists here and now.

Exit 1 if something is broken: a file that cannot be used, or what refuses the
hosts of a CA under --crl and --namespaces. Expired CAs do not matter. CAs with
RSA keys of 1024 bits are trusted, as in grid middleware, and noted.`,
		Example: `  gtunnel certs list
  gtunnel certs list --capath /etc/grid-security/certificates --crl require`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := openStore(cmd, &t)
			if err != nil {
				return err
			}
			list := newCAList(t, store.Snapshot(), time.Now())
			if asJSON {
				err = m.printJSON(list)
			} else {
				err = list.write(m.Stdout)
			}
			if err == nil && list.Summary.Broken > 0 {
				err = usage.WithHint(
					fmt.Errorf("%s broken in the trusted CAs", thingsAre(list.Summary.Broken)),
					"update the packages of the CAs, run fetch-crl, or see gtunnel help crl and gtunnel help policies",
				)
			}
			return err
		},
	}
	settings := append(config.Pick(t.Settings(), "capath", "cafile", "crl", "crl-grace", "namespaces"),
		config.Setting{Name: "json", Target: &asJSON, Usage: "print JSON"})
	config.AddFlags(cmd, "", settings)
	return cmd
}

func thingsAre(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}

// caList is what certs list --json prints.
type caList struct {
	CApath   string        `json:"capath"`
	CAfile   string        `json:"cafile"`
	CAs      []listedCA    `json:"cas"`
	Problems []listProblem `json:"problems"`
	Summary  listSummary   `json:"summary"`
}

type listedCA struct {
	Subject  string       `json:"subject"`
	RFC4514  string       `json:"rfc4514"`
	Hash     string       `json:"hash"`
	HashOld  string       `json:"hash_old"`
	Files    []string     `json:"files"`
	Root     bool         `json:"root"`
	CAfile   bool         `json:"from_cafile"`
	NotAfter time.Time    `json:"not_after"`
	DaysLeft int          `json:"days_left"`
	Expired  bool         `json:"expired"`
	Policies []listPolicy `json:"policies"`
	CRLs     []listCRL    `json:"crls"`
	CRLState certs.Code   `json:"crl_state"` // empty: one of the lists is current

	crl string // the state of the list in a few words
}

type listPolicy struct {
	Kind  string   `json:"kind"` // signing_policy or namespaces
	Files []string `json:"files"`
	Sound bool     `json:"sound"`
}

type listCRL struct {
	Files      []string   `json:"files"`
	ThisUpdate time.Time  `json:"this_update"`
	NextUpdate *time.Time `json:"next_update"` // null: the list does not say
	Entries    int        `json:"entries"`
	State      certs.Code `json:"state"` // empty: current
	Reason     string     `json:"reason"`
}

type listProblem struct {
	File    string `json:"file"` // or the CA's subject, where a file is missing
	Line    int    `json:"line"`
	Message string `json:"message"`
	Broken  bool   `json:"broken"` // else merely reported
}

// listSummary counts. Expired CAs are counted in CAs and Expired only.
type listSummary struct {
	CAs        int `json:"cas"`
	Expired    int `json:"expired"`
	NoPolicy   int `json:"without_policy"`
	CurrentCRL int `json:"with_current_crl"`
	EndingCRL  int `json:"with_ending_crl"` // of the current ones: within a day
	StaleCRL   int `json:"with_stale_crl"`
	BadCRL     int `json:"with_bad_crl"`
	NoCRL      int `json:"without_crl"`
	RefusedCRL int `json:"refused_by_crl"` // their peers are refused for the state of the list
	Broken     int `json:"broken"`

	crls certs.CRLReport
}

func newCAList(t config.Tunnel, snapshot *certs.Snapshot, now time.Time) caList {
	list := caList{CApath: t.CApath, CAfile: t.CAfile, CAs: []listedCA{}, Problems: []listProblem{}}
	live := map[string]bool{} // by file: does it matter to a CA that is not expired?
	for _, ca := range snapshot.CAs() {
		listed, problems := newListedCA(t, ca, now)
		list.CAs = append(list.CAs, listed)
		list.Problems = append(list.Problems, problems...)
		for _, file := range filesOf(ca) {
			live[file] = live[file] || !listed.Expired
		}
	}
	for _, p := range snapshot.Problems() {
		matters, known := live[p.File]
		list.Problems = append(list.Problems, listProblem{
			File: p.File, Line: p.Line, Message: p.Message, Broken: (matters || !known) && asked(t, p.File),
		})
	}
	list.summarise(snapshot.CRLReport(t.Policy(), now))
	return list
}

// filesOf lists every file that says something about a CA.
func filesOf(ca *certs.CA) []string {
	files := slices.Clone(ca.Files)
	for _, p := range ca.Policies {
		files = append(files, p.Files...)
	}
	for _, c := range ca.CRLs {
		files = append(files, c.Files...)
	}
	for _, p := range ca.Problems {
		files = append(files, p.File)
	}
	return files
}

var crlName = regexp.MustCompile(`\.r[0-9]+$`)

// asked reports whether a file is looked at under the modes of the
// configuration.
func asked(t config.Tunnel, file string) bool {
	mode := t.Namespaces.String()
	switch {
	case crlName.MatchString(file):
		return t.CRL != certs.CRLIgnore
	case strings.HasSuffix(file, ".signing_policy"):
		return strings.Contains(mode, "globus")
	case strings.HasSuffix(file, ".namespaces"):
		return strings.Contains(mode, "eugridpma")
	}
	return true
}

func newListedCA(t config.Tunnel, ca *certs.CA, now time.Time) (listedCA, []listProblem) {
	listed := listedCA{
		Subject: ca.Subject.Slash(), RFC4514: ca.Subject.RFC4514(),
		Hash: ca.Subject.Hash(), HashOld: ca.Subject.HashOld(),
		Files: listOf(ca.Files), Root: ca.Anchor, CAfile: ca.FromCAfile,
		NotAfter: ca.Certificate.NotAfter.UTC(), DaysLeft: daysLeft(ca.Certificate.NotAfter, now),
		Expired: now.After(ca.Certificate.NotAfter), Policies: []listPolicy{}, CRLs: []listCRL{},
	}
	speaks := false
	for _, p := range ca.Policies {
		listed.Policies = append(listed.Policies, listPolicy{
			Kind: p.Kind, Files: listOf(p.Files), Sound: p.Problem == nil,
		})
		speaks = speaks || len(p.Files) > 0 && asked(t, p.Files[0])
	}
	var newest *certs.CRL
	for i, c := range ca.CRLs {
		state, why := c.State(now)
		entry := listCRL{
			Files: listOf(c.Files), ThisUpdate: c.ThisUpdate.UTC(), Entries: c.Entries, State: state, Reason: why,
		}
		if !c.NextUpdate.IsZero() {
			next := c.NextUpdate.UTC()
			entry.NextUpdate = &next
		}
		listed.CRLs = append(listed.CRLs, entry)
		if newest == nil || c.ThisUpdate.After(newest.ThisUpdate) {
			newest = &ca.CRLs[i]
		}
	}
	code, _ := ca.CRLState(now)
	listed.CRLState, listed.crl = code, crlWords(code, newest, now)
	if listed.Expired {
		return listed, nil
	}
	var problems []listProblem
	if text, refused := ca.Weakness(); text != "" {
		message := fmt.Sprintf("%s: %s", certs.ShowDN(listed.Subject), text)
		problems = append(problems, listProblem{File: ca.Files[0], Message: message, Broken: refused})
	}
	if !speaks && !ca.FromCAfile && strings.HasSuffix(t.Namespaces.String(), "-require") {
		const message = "no policy file speaks of this CA: nothing that it signed is accepted"
		problems = append(problems, listProblem{File: listed.Subject, Message: message, Broken: true})
	}
	if why, refused := ca.CRLRefusal(t.Policy(), now); refused {
		problems = append(problems, listProblem{File: listed.Subject, Line: 0, Message: why, Broken: true})
	}
	return listed, problems
}

// crlWords is the age of a CA's newest list, and when the next one is due.
func crlWords(code certs.Code, newest *certs.CRL, now time.Time) string {
	if newest == nil {
		if code == certs.CodeCRLMissing {
			return "none"
		}
		return string(code)
	}
	next := "no next"
	switch due := newest.NextUpdate; {
	case due.IsZero():
	case now.Before(due):
		next = "next in " + roughly(due.Sub(now))
	default:
		next = "DUE " + roughly(now.Sub(due)) + " ago"
	}
	words := roughly(now.Sub(newest.ThisUpdate)) + " old, " + next
	if code != "" && code != certs.CodeCRLExpired {
		words = strings.ToUpper(strings.TrimPrefix(string(code), "crl-")) + ", " + words
	}
	return words
}

// roughly writes a duration in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

func (l *caList) summarise(crls certs.CRLReport) {
	s := &l.Summary
	s.crls = crls
	s.CurrentCRL, s.EndingCRL, s.StaleCRL = crls.Current, crls.Ending, crls.Stale
	s.BadCRL, s.NoCRL, s.RefusedCRL = crls.Bad, crls.Missing, crls.Refused
	for _, ca := range l.CAs {
		s.CAs++
		if ca.Expired {
			s.Expired++
			continue
		}
		if len(ca.Policies) == 0 && !ca.CAfile {
			s.NoPolicy++
		}
	}
	for _, p := range l.Problems {
		if p.Broken {
			s.Broken++
		}
	}
}

// lineWidth bounds the lines of the table; a longer subject loses its
// beginning, which CAs of one place share.
const lineWidth = 120

// write prints the list for a person.
func (l *caList) write(out io.Writer) error {
	var table strings.Builder
	w := terminal.NewTable(&table)
	fmt.Fprintln(w, "HASH\tOLD HASH\tDAYS\tPOLICIES\tCRL\tSUBJECT")
	for _, ca := range l.CAs {
		days := fmt.Sprint(ca.DaysLeft)
		if ca.Expired {
			days = "expired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n",
			ca.Hash, ca.HashOld, days, ca.policyWords(), ca.crl, certs.ShowDN(ca.Subject))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		line = strings.TrimSuffix(line, "\n")
		if start := strings.IndexByte(line, '/'); start > 0 && len(line) > lineWidth {
			line = line[:start] + "..." + line[len(line)-(lineWidth-start-3):]
		}
		fmt.Fprintln(out, line)
	}
	slices.SortStableFunc(l.Problems, func(a, b listProblem) int { return cmp.Compare(a.rank(), b.rank()) })
	for _, p := range l.Problems {
		where := p.File
		if p.Line > 0 {
			where += fmt.Sprintf(":%d", p.Line)
		}
		kind := "note"
		if p.Broken {
			kind = "broken"
		}
		fmt.Fprintf(out, "%s: %s: %s\n", kind, where, p.Message)
	}
	s := l.Summary
	_, err := fmt.Fprintf(out, "%s\n%s, %d expired; policies: %d without; %d broken\n",
		inFlags(s.crls.String()), finding.Count(s.CAs, "CA"), s.Expired, s.NoPolicy, s.Broken)
	return err
}

func (p listProblem) rank() int {
	if p.Broken {
		return 0
	}
	return 1
}

// policyWords says which policy files a CA has.
func (c listedCA) policyWords() string {
	if len(c.Policies) == 0 {
		if c.CAfile {
			return "cafile"
		}
		return "NONE"
	}
	var words []string
	for _, p := range c.Policies {
		word := strings.TrimSuffix(p.Kind, "_policy")
		if !p.Sound {
			word = "BAD " + word
		}
		words = append(words, word)
	}
	if len(words) == 2 && slices.Contains(words, "signing") && slices.Contains(words, "namespaces") {
		return "both"
	}
	return strings.Join(words, "+")
}
