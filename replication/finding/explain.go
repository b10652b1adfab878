package finding

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// AccessDenied is the number of the error of a login with a wrong password.
const AccessDenied = 1045

// ExplainSlaveError says why a thread of a slave stopped, or cannot go on, with
// what to do.
func ExplainSlaveError(number int, text string) *Problem {
	c := slaveCause(number, text)
	return New(Slave, c.Code, c.Cure, "%s (%s: %s)", c.Words, ErrorText(number), text)
}

// WantsSeed reports whether nothing but a new copy lets a slave with this error go on.
func WantsSeed(number int, text string) bool { return slaveCause(number, text).Seed }

// slaveCause is the cause of an error of a slave's thread.
func slaveCause(number int, text string) Cause {
	c := Causes[number]
	switch number {
	case 1236:
		c = causeIn(refusals, text, c)
	case 1593:
		c = causeIn(fatals, text, c)
	case 1032, 1062, 1146, 1677:
		c = withTable(c, number, text)
	case AccessDenied:
		c = slaveDenied
		if other, ok := Elsewhere(number, text); ok {
			c = other
		}
	case hostNotAllowed:
		if other, ok := Elsewhere(number, text); ok {
			c = other
		}
	case 1286:
		if engine := errorEngine.FindStringSubmatch(text); engine != nil {
			c.Cure = strings.ReplaceAll(c.Cure, "'ha_NAME', as in 'ha_archive'", "'ha_"+strings.ToLower(engine[1])+"'")
		}
	}
	if c.Code == "" {
		c = Cause{
			Code: "slave-error", Words: "the slave met an error",
			Cure: "look it up: " + ErrorText(number) + "; mend the cause; then: START SLAVE; never skip it",
		}
	}
	return c
}

// slaveDenied is a login of the slave's that its master refuses.
var slaveDenied = Cause{
	Code:  "access-denied",
	Words: Causes[AccessDenied].Words,
	Cure: "gtunnel replication setup-slave gives the slave the password of the hand-over file; if that is not the right " +
		"one any more, first on the master: gtunnel replication setup-master --new-passwords, and its hand-over file here; " +
		"SELECT user, host FROM mysql.user shows there which accounts there are",
}

// causeIn gives the cause whose part a text has, or another one.
func causeIn(list []refusal, text string, other Cause) Cause {
	text = strings.ToLower(text)
	for _, r := range list {
		if strings.Contains(text, r.part) {
			return r.Cause
		}
	}
	return other
}

// withTable names the table and the key of an error about a row.
func withTable(c Cause, number int, text string) Cause {
	table := ""
	if found := errorTable.FindStringSubmatch(text); found != nil {
		table = strings.Join(found[1:], "")
	}
	if table == "" {
		return c
	}
	c.Cure = fmt.Sprintf("gtunnel replication compare --repair-table %s copies it anew; then gtunnel replication compare "+
		"shows whether more differs; never skip the error", table)
	switch number {
	case 1032:
		c.Words = strings.Replace(c.Words, "on the slave", "in "+table+" on the slave", 1)
	case 1062:
		row := "a row"
		if key := errorKey.FindStringSubmatch(text); key != nil {
			row = fmt.Sprintf("the row with %s='%s'", key[2], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(key[1]))
		}
		c.Words = row + " is in " + table + " on the slave already: somebody wrote there, or the start position was wrong"
	case 1677:
		c.Words = "a column of " + table + " has another type on the slave than on the master, " +
			"and one cannot become the other"
	case 1146:
		c.Words = "the table " + table + ", which the master changed, is not on the slave"
	}
	return c
}

// The details in the errors of a slave's SQL thread.
var (
	errorTable  = regexp.MustCompile(`on table ([^;]+);|Table '([^']+)' doesn't exist|of table '([^']+)' cannot be `)
	errorEngine = regexp.MustCompile(`(?i)unknown (?:storage|table) engine '(\w+)'`)
	errorKey    = regexp.MustCompile("Duplicate entry '(.*)' for key '([^']*)'")
	errorQuery  = regexp.MustCompile(`(?is)(query: ')(.*)$`)
	errorSecret = regexp.MustCompile(`(?i)identified|password`)
)

// ClientErrno is the number by which the causes know an error of a slave's I/O
// thread. MySQL 8.0 and later wrap some in numbers of their own.
func ClientErrno(number int, text string) int {
	switch {
	case number < 10000:
	case strings.Contains(text, "fatal error 1236"):
		return 1236
	case number == 13117, strings.Contains(text, "equal MySQL server"):
		return 1593
	}
	return number
}

// CureOf gives what to do about the error number of a statement or a tool.
func CureOf(number int, on Role) string {
	if number == AccessDenied && on == Slave {
		return "does this account exist on the server, and is its password right?"
	}
	return cmp.Or(WithNames(Causes[number].Cure, nil),
		"look it up: "+ErrorText(number)+"; mend the cause, and run this again")
}

// ErrorText is a server's error number as text.
func ErrorText(number int) string { return "error " + strconv.Itoa(number) }

// ScrubStatement gives a statement, or stars if it may hold a password.
func ScrubStatement(text string) string {
	if errorSecret.MatchString(text) {
		return Stars
	}
	return text
}

// ScrubQuery cuts a statement that may hold a password out of a slave's error,
// which quotes what it could not execute.
func ScrubQuery(text string) string {
	query := errorQuery.FindStringSubmatch(text)
	if query == nil || !errorSecret.MatchString(query[2]) {
		return text
	}
	return strings.Replace(text, query[0], query[1]+Stars+"'", 1)
}
