// Package monitor is what a process knows that watches a replication: the last look, since when
// it is so, and the lag of the last hour. It tells that to the page (GET /replication), to
// Prometheus (GET /metrics) and to probes (GET /healthz).
//
// What mysqld_exporter has a name for has that name and its labels here, so that rules and
// dashboards for it go on working; what it has not begins with gtunnel_replication_. What is
// not known is not there: it is never 0, and never the value of an earlier look.
package monitor
