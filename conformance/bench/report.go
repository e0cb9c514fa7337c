package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/davit-containers/davit/conformance/internal/view"
)

// report is what -json writes.
type report struct {
	Kernel     string        `json:"kernel"`
	Processors int           `json:"processors"`
	Runtimes   []reportPeer  `json:"runtimes"`
	Results    []reportEntry `json:"results"`
}

// reportPeer is one runtime that was measured.
type reportPeer struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Version string `json:"version"`
}

// reportEntry is what one runtime did in one scenario, sample by sample.
type reportEntry struct {
	Cgroup   view.View                `json:"cgroup"`
	Scenario string                   `json:"scenario"`
	Runtime  string                   `json:"runtime"`
	WallMS   []float64                `json:"wallMs,omitempty"`
	CPUMS    []float64                `json:"cpuMs,omitempty"`
	PeakKiB  []int                    `json:"peakKiB,omitempty"`
	FloorKiB int                      `json:"floorKiB,omitempty"`
	Events   map[string][]disturbance `json:"events,omitempty"`
	Error    string                   `json:"error,omitempty"`
}

// writeJSON writes the report, where a file is named.
func writeJSON(file string, peers []peer, results []result) error {
	if file == "" {
		return nil
	}
	r := report{Kernel: kernelRelease(), Processors: runtime.NumCPU()}
	for _, p := range peers {
		r.Runtimes = append(r.Runtimes, reportPeer{p.name, p.path, p.version})
	}
	for _, one := range results {
		r.Results = append(r.Results, entry(one))
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the samples: %w", err)
	}
	return nil
}

// entry is a result for the report.
func entry(r result) reportEntry {
	e := reportEntry{
		Cgroup: r.view, Scenario: r.scenario, Runtime: r.peer,
		WallMS: milliseconds(r.wall), CPUMS: milliseconds(r.cpu),
		PeakKiB: r.peakKiB, FloorKiB: r.floorKiB, Events: r.events,
	}
	if r.err != nil {
		e.Error = r.err.Error()
	}
	return e
}

// milliseconds are times as numbers.
func milliseconds(times []time.Duration) []float64 {
	var numbers []float64
	for _, t := range times {
		numbers = append(numbers, t.Seconds()*1000)
	}
	return numbers
}
