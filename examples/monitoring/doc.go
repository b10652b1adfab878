// Package monitoring holds what Prometheus, Grafana, Nagios, Icinga and rsyslog need to watch
// gtunnel, and the tests that run it: the rules by promtool, the dashboard's queries in a real
// Prometheus, the plugin's command lines on a real pair. README.md says how to install it.
package monitoring
