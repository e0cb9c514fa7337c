package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSignal(t *testing.T) {
	tests := []struct {
		name string
		text string
		want unix.Signal
		err  string
	}{
		{name: "name", text: "KILL", want: unix.SIGKILL},
		{name: "name with SIG", text: "SIGKILL", want: unix.SIGKILL},
		{name: "small letters", text: "sigterm", want: unix.SIGTERM},
		{name: "mixed letters", text: "Usr1", want: unix.SIGUSR1},
		{name: "number", text: "15", want: unix.SIGTERM},
		{name: "zero", text: "0", want: 0},
		{name: "highest number", text: "64", want: 64},
		{name: "real time, lowest", text: "RTMIN", want: 34},
		{name: "real time, counted up", text: "SIGRTMIN+3", want: 37},
		{name: "real time, small letters", text: "rtmin+30", want: 64},
		{name: "real time, highest", text: "SIGRTMAX", want: 64},
		{name: "real time, counted down", text: "RTMAX-2", want: 62},
		{name: "beyond the highest", text: "RTMIN+31", err: `unknown signal "RTMIN+31"`},
		{name: "below the lowest", text: "RTMAX-31", err: `unknown signal "RTMAX-31"`},
		{name: "wrong sign", text: "RTMIN-1", err: `unknown signal "RTMIN-1"`},
		{name: "two signs", text: "RTMIN++1", err: `unknown signal "RTMIN++1"`},
		{name: "no number", text: "RTMIN+", err: `unknown signal "RTMIN+"`},
		{name: "number too high", text: "65", err: `invalid signal "65": not from 0 to 64`},
		{name: "negative number", text: "-9", err: `invalid signal "-9": not from 0 to 64`},
		{name: "no such name", text: "SIGFOO", err: `unknown signal "SIGFOO"`},
		{name: "SIG alone", text: "SIG", err: `unknown signal "SIG"`},
		{name: "SIG twice", text: "SIGSIGKILL", err: `unknown signal "SIGSIGKILL"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSignal(tt.text)
			if text := errorText(err); text != tt.err {
				t.Fatalf("got error %q, want %q", text, tt.err)
			}
			if got != tt.want {
				t.Errorf("got signal %d, want %d", got, tt.want)
			}
		})
	}
}

// errorText is an error's text, "" for none.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
