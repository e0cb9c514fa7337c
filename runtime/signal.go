package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals that a C library leaves to programs: the kernel's
// first two are its own.
const (
	sigRTMin = unix.Signal(34)
	sigRTMax = unix.Signal(64)
)

// parseSignal reads a signal's number or name: 9, KILL, SIGKILL, sigkill,
// RTMIN+3. The number 0 only asks whether the process is there.
func parseSignal(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > int(sigRTMax) {
			return 0, fmt.Errorf("invalid signal %q: not from 0 to %d", text, sigRTMax)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if sig, ok := realTimeSignal(name); ok {
		return sig, nil
	}
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", text)
}

// realTimeSignal reads RTMIN, RTMIN+n, RTMAX and RTMAX-n.
func realTimeSignal(name string) (unix.Signal, bool) {
	base, sign := sigRTMin, "+"
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		base, sign = sigRTMax, "-"
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
	}
	if rest == "" {
		return base, true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(rest, sign), 10, 6)
	if err != nil || !strings.HasPrefix(rest, sign) || n > uint64(sigRTMax-sigRTMin) {
		return 0, false
	}
	if sign == "-" {
		return base - unix.Signal(n), true
	}
	return base + unix.Signal(n), true
}
