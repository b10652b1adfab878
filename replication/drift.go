package replication

// drift are the options of a connection that somebody has changed since it was set
// up, as they should be. The user is left alone, because the password goes with it,
// and so is a delay, which somebody wants.
func (s *slavePlan) drift() []Statement {
	v, status := s.slave.Version, s.status
	word := v.word("MASTER", "SOURCE")
	var options []Statement
	if status.ConnectRetry > 0 && status.ConnectRetry != connectRetry {
		options = append(options, statement("%s_CONNECT_RETRY=%d", word, int(connectRetry.Seconds())))
	}
	if status.RetryCount > 0 && status.RetryCount != retryCount {
		options = append(options, statement("%s_RETRY_COUNT=%d", word, retryCount))
	}
	if status.SSLAllowed == "Yes" {
		options = append(options, statement("%s_SSL=0", word), statement("%s_SSL_VERIFY_SERVER_CERT=0", word))
	}
	if status.GetsPublicKey != nil && !*status.GetsPublicKey {
		options = append(options, statement("GET_%s_PUBLIC_KEY=1", word))
	}
	if !status.ByGTID && s.want.State.ByGTID {
		if v.Family == MariaDB {
			options = append(options, statement("MASTER_USE_GTID=slave_pos"))
		} else {
			options = append(options, statement("%s_AUTO_POSITION=1", word))
		}
	}
	return options
}

// restateOptions adds the step that ends a drift. The slave goes on from where it
// is, and by GTID only if it has its GTIDs from the beginning.
func (s *slavePlan) restateOptions() {
	options := s.drift()
	if len(options) == 0 {
		return
	}
	v := s.slave.Version
	verb := "CHANGE MASTER TO "
	if v.replicaWords() {
		verb = "CHANGE REPLICATION SOURCE TO "
	}
	s.add(&Step{
		Name: "connection", On: Slave, What: "state the options of the replication again", Why: "somebody has changed them since it was set up",
		SQL: []Statement{v.stopSlave(bothThreads), statement("%s%s", joinStatements(verb, options), v.channel()), v.startSlave(bothThreads)},
	})
}
