package netdev

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

const headings = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`

func TestParseStats(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Stats
	}{
		{"none", headings, nil},
		{"loopback", headings + "    lo:    9596     114    0    0    0     0          0         0     9596     114    0    0    0     0       0          0\n", nil},
		{"two", headings + "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\neth0:1:18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", []Stats{
			{"eth0", 1, 2, 3, 4, 9, 10, 11, 12},
			{Name: "eth0:1", RxBytes: 1<<64 - 1},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStats(strings.NewReader(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
	if _, err := parseStats(strings.NewReader(headings + "eth0: 1 2 3\n")); err == nil {
		t.Error("three counters were taken")
	}
}

func TestReadStats(t *testing.T) {
	if _, err := ReadStats(os.Getpid()); err != nil {
		t.Error(err)
	}
	if list, err := ReadStats(-1); err != nil || list != nil {
		t.Errorf("no process: %v, %v", list, err)
	}
}
