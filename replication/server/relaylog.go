package server

// Unapplied reports whether the slave is known to have received changes that it has not
// applied: before it has applied any, it may not tell where it is.
func (s *SlaveStatus) Unapplied() bool { return !s.Executed.IsZero() && s.Executed.Before(s.Read) }

// StartDeletes reports whether a start of the slave deletes what it has received and not
// applied: MariaDB's does by GTID while both threads are stopped, whichever is started.
func (s *SlaveStatus) StartDeletes(v Version) bool {
	return v.Family == MariaDB && s.ByGTID && !s.Active()
}

// RestartDeletes reports whether a start does so once the SQL thread has been stopped.
func (s *SlaveStatus) RestartDeletes(v Version) bool {
	stopped := *s
	stopped.SQLRunning = "No"
	return stopped.StartDeletes(v)
}

// ApplyReceived is how an administrator has a slave apply what it has received before it
// goes on: where a start deletes that, from the file itself, without its master.
func (s *SlaveStatus) ApplyReceived(v Version) string {
	if !s.StartDeletes(v) {
		return v.StartSlave(SQLThread).String()
	}
	return SQL("CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE=%s, RELAY_LOG_POS=%d; START SLAVE SQL_THREAD",
		QuoteString(s.Relay.File), s.Relay.Offset).String() +
		"; and when SHOW SLAVE STATUS says that it has read all relay log: STOP SLAVE; " +
		"CHANGE MASTER TO MASTER_USE_GTID=slave_pos"
}
