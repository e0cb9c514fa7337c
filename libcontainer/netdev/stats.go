package netdev

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Stats are a network device's counters. Its JSON is what `events` prints.
// Compat(runc): the names.
type Stats struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64 // received
	TxBytes, TxPackets, TxErrors, TxDropped uint64 // transmitted
}

// ReadStats reads the counters of all devices in a process's network
// namespace, but for the loopback device. A process that is ending has left its
// namespace, and has none.
func ReadStats(pid int) ([]Stats, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/net/dev")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the counters of network devices: %w", err)
	}
	defer f.Close()
	return parseStats(f)
}

// parseStats reads /proc/net/dev: two lines of headings, then for each device
// its name, a colon, eight counters of what it received and eight of what it
// transmitted.
func parseStats(r io.Reader) ([]Stats, error) {
	var list []Stats
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return list, lines.Err()
		}
		// A name may have a colon, an alias's; the counters have none.
		colon := strings.LastIndexByte(lines.Text(), ':')
		if colon < 0 {
			continue
		}
		name := strings.TrimSpace(lines.Text()[:colon])
		counters := strings.Fields(lines.Text()[colon+1:])
		if len(counters) < 16 {
			return nil, fmt.Errorf("reading the counters of network device %s: there are %d, not 16", name, len(counters))
		}
		if name == "lo" {
			continue
		}
		n := func(i int) uint64 { v, _ := strconv.ParseUint(counters[i], 10, 64); return v }
		list = append(list, Stats{name, n(0), n(1), n(2), n(3), n(8), n(9), n(10), n(11)})
	}
}
