package main

import (
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckInherited(t *testing.T) {
	if err := checkInherited(0); err != nil {
		t.Errorf("none: %v", err)
	}
	// What this process has open it opened itself, or go test did.
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := checkInherited(int(f.Fd()) - 2); err == nil {
		t.Errorf("descriptor %d of this process passes for its caller's", f.Fd())
	}
}

func TestCheckTerminal(t *testing.T) {
	const (
		noSocket = "cannot allocate tty if davit will detach without setting console socket"
		socket   = "cannot use console socket if davit will not detach or allocate tty"
	)
	tests := []struct {
		name     string
		a        attachment
		terminal bool
		socket   string
		err      string
	}{
		{"attached, no terminal", attached, false, "", ""},
		{"attached, terminal", attached, true, "", ""},
		{"attached, socket", attached, false, "sock", socket},
		{"attached, terminal and socket", attached, true, "sock", socket},
		{"detached, no terminal", detached, false, "", ""},
		{"detached, terminal", detached, true, "", noSocket},
		{"detached, socket", detached, false, "sock", socket},
		{"detached, terminal and socket", detached, true, "sock", ""},
	}
	p := &program{name: "davit"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			process := &specs.Process{Terminal: tt.terminal}
			if got := errorText(p.checkTerminal(tt.a, process, tt.socket)); got != tt.err {
				t.Errorf("got %q, want %q", got, tt.err)
			}
		})
	}
}
