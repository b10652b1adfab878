package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxProblems bounds what is kept, and told, of what is wrong.
const maxProblems = 100

// reloadProblem is something because of which a reload has failed.
type reloadProblem struct {
	Text string `json:"text"` // with the file, and the line where there is one
	Cure string `json:"cure,omitempty"`
}

// reloadStatus is how the reloads of a process have gone: GET /reload.
type reloadStatus struct {
	Good     uint64          `json:"good"`      // that somebody asked for
	Failed   uint64          `json:"failed"`    // of these
	LastGood time.Time       `json:"last_good"` // the start counts
	Problems []reloadProblem `json:"problems"`  // of the last one, or of files since; none: all is in force
	Restart  []string        `json:"restart"`   // settings that need one, as of the last reload
}

// reloadResult is what one reload did: POST /reload.
type reloadResult struct {
	Changes  []string        `json:"changes"` // what is in force now and was not before
	Restart  []string        `json:"restart"` // settings that need a restart
	Problems []reloadProblem `json:"problems"`
}

// reloads is what others see of a reloader, and how they ask it. Its methods
// may be called concurrently. It tells Prometheus its state.
type reloads struct {
	requests chan chan<- reloadResult // each holds one

	mu     sync.Mutex
	status reloadStatus
}

func newReloads(now time.Time) *reloads {
	return &reloads{
		requests: make(chan chan<- reloadResult),
		status:   reloadStatus{LastGood: now, Problems: []reloadProblem{}, Restart: []string{}},
	}
}

// note keeps how a reload went that somebody asked for.
func (r *reloads) note(result reloadResult, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Problems, r.status.Restart = result.Problems, result.Restart
	if len(result.Problems) > 0 {
		r.status.Failed++
		return
	}
	r.status.Good++
	r.status.LastGood = now
}

// look keeps what is wrong after a look at the files that nobody asked for.
func (r *reloads) look(problems []reloadProblem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Problems = problems
}

// snapshot is the status of this moment.
func (r *reloads) snapshot() reloadStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// What Prometheus is told, by the names that it has for its own.
var (
	reloadsDesc = prometheus.NewDesc("gtunnel_config_reloads_total",
		"Reloads that SIGHUP or gtunnel reload has asked for, by result: good, or failed, which changed nothing.",
		[]string{"result"}, nil)
	reloadGoodDesc = prometheus.NewDesc("gtunnel_config_last_reload_successful",
		"1 if what the files say is in force, 0 while something is wrong with the configuration file, "+
			"or a file that it names cannot be loaded.", nil, nil)
	reloadTimeDesc = prometheus.NewDesc("gtunnel_config_last_reload_success_timestamp_seconds",
		"When the last reload was good, or the process began, in seconds since 1970.", nil, nil)
)

// Describe sends what Collect tells.
func (r *reloads) Describe(descs chan<- *prometheus.Desc) {
	descs <- reloadsDesc
	descs <- reloadGoodDesc
	descs <- reloadTimeDesc
}

// Collect sends the present values.
func (r *reloads) Collect(metrics chan<- prometheus.Metric) {
	status, good := r.snapshot(), 0.0
	if len(status.Problems) == 0 {
		good = 1
	}
	count := func(n uint64, result string) {
		metrics <- prometheus.MustNewConstMetric(reloadsDesc, prometheus.CounterValue, float64(n), result)
	}
	count(status.Good, "good")
	count(status.Failed, "failed")
	metrics <- prometheus.MustNewConstMetric(reloadGoodDesc, prometheus.GaugeValue, good)
	metrics <- prometheus.MustNewConstMetric(reloadTimeDesc, prometheus.GaugeValue,
		float64(status.LastGood.UnixMilli())/1000)
}
