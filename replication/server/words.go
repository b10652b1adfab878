package server

import (
	"regexp"
	"strings"
)

// InWords puts the statements of a text into the words of a version. The text has
// those of MariaDB, and what only one family needs in parentheses, as in "(MySQL: SET
// GLOBAL super_read_only=0;)".
func (v Version) InWords(text string) string {
	if v.Family == "" {
		return text
	}
	text = onlyOf.ReplaceAllStringFunc(text, func(part string) string {
		found := onlyOf.FindStringSubmatch(part)
		if Family(found[1]) != v.Family {
			return ""
		}
		return " " + found[2]
	})
	if v.RetentionVariable() != retentionSeconds {
		text = strings.ReplaceAll(text, retentionSeconds, v.RetentionVariable())
	}
	if !v.altersAccounts() {
		text = strings.NewReplacer(
			"SHOW CREATE USER and ", "",
			"ALTER USER ... ", "GRANT USAGE ON *.* TO ... ",
		).Replace(text)
	}
	if !v.ReplicaWords() {
		return strings.ReplaceAll(text, "GET_SOURCE_", "GET_MASTER_")
	}
	text = strings.NewReplacer(
		"FLUSH HOSTS", "TRUNCATE TABLE performance_schema.host_cache",
		"RESET SLAVE ALL", v.ResetSlaveAll().String(), // of no other channel
		"RESET MASTER", v.ResetBinaryLog(),
		"SHOW MASTER STATUS", v.ShowMasterStatus(),
		"SHOW SLAVE HOSTS", "SHOW REPLICAS",
		"CHANGE MASTER TO", "CHANGE REPLICATION SOURCE TO",
	).Replace(text)
	text = verbSlave.ReplaceAllString(text, "$1 REPLICA")
	return masterOption.ReplaceAllString(text, "${1}SOURCE_$2")
}

var (
	onlyOf       = regexp.MustCompile(`\s?\((MariaDB|MySQL): ([^()]*)\)`)
	verbSlave    = regexp.MustCompile(`\b(START|STOP|RESET|SHOW) SLAVE\b`)
	masterOption = regexp.MustCompile(`\b((?:GET_)?)MASTER_([A-Z]+)`)
)
