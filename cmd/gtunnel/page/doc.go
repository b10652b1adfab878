// Package page is the page that an administrator looks at: the state of each
// tunnel in plain words, certificates and revocation lists with days left,
// connections, throughput and replication lag of the last hour as plots, the
// last events with their cures, and the last reload.
//
// The page is rendered here, also for a browser without JavaScript; a script
// keeps it up to date by server-sent events that carry the same HTML. It is
// read-only, it holds no secret, and it loads nothing from elsewhere.
package page
