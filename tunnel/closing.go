package tunnel

// closeCode says in a word why a session was closed, for metrics; its line in
// the log has more.
type closeCode string

// Why sessions are closed. What breaks a side has a code of that side
// (sideCodes).
const (
	closedInOrder       closeCode = "ended"
	closedIdle          closeCode = "idle"
	closedHalf          closeCode = "half-closed"    // one side had ended, the other was silent
	closedStopped       closeCode = "stopped"        // the tunnel was
	closedTargetRemoved closeCode = "target-removed" // from the configuration
	closedByAdmin       closeCode = "administrator"
	closedAge           closeCode = "too-old" // Timeouts.SessionAge
	closedNotAccepted   closeCode = "peer-no-longer-accepted"
	closedPeerRefusedUs closeCode = "peer-refused-us"
	closedNotPlain      closeCode = "tls-on-plain-port"
	closedNotOpened     closeCode = "not-opened" // before anything was relayed
)

// sideCodes are why a session was closed where one side broke.
type sideCodes struct{ cutOff, reset, silent, failed closeCode }

var (
	peerCodes  = sideCodes{cutOff: "peer-cut-off", reset: "peer-reset", silent: "peer-silent", failed: "peer-failed"}
	plainCodes = sideCodes{cutOff: "plain-cut-off", reset: "plain-reset", silent: "plain-silent", failed: "plain-failed"}
)

// closeCodes are all that a session that was relayed may end with.
var closeCodes = []closeCode{
	closedInOrder, closedIdle, closedHalf, closedStopped, closedTargetRemoved, closedByAdmin, closedAge,
	closedNotAccepted, closedPeerRefusedUs, closedNotPlain,
	peerCodes.cutOff, peerCodes.reset, peerCodes.silent, peerCodes.failed,
	plainCodes.cutOff, plainCodes.reset, plainCodes.silent, plainCodes.failed,
}

// countClosed counts a session that has ended.
func (t *Tunnel) countClosed(code closeCode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessionsClosed[code]++
}
