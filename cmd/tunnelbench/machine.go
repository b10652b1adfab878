package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is where a run was made.
type machine struct {
	Processor string  `json:"processor"`
	CPUs      int     `json:"cpus"`
	MemoryGB  float64 `json:"memory_gb"`
	System    string  `json:"system"`
	Kernel    string  `json:"kernel"`
	Go        string  `json:"go"`   // of this program
	Load      string  `json:"load"` // averages of 1, 5 and 15 minutes when the run began
}

// describeMachine leaves empty what the system does not say.
func describeMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), Go: runtime.Version()}
	m.Processor = valueOf(readText("/proc/cpuinfo"), "model name", ":")
	m.System = strings.Trim(valueOf(readText("/etc/os-release"), "PRETTY_NAME", "="), `"`)
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(valueOf(readText("/proc/meminfo"), "MemTotal", ":"), " kB"),
		64); err == nil {
		m.MemoryGB = float64(int(kb*1024/1e8)) / 10
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if fields := strings.Fields(readText("/proc/loadavg")); len(fields) >= 3 {
		m.Load = strings.Join(fields[:3], " ")
	}
	return m
}

func readText(file string) string {
	text, _ := os.ReadFile(file)
	return string(text)
}

// valueOf finds the first line "key separator value".
func valueOf(text, key, separator string) string {
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(line, separator)
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d CPUs, %.1f GB, %s, Linux %s, load %s",
		m.Processor, m.CPUs, m.MemoryGB, m.System, m.Kernel, m.Load)
}
