package main

import "strconv"

// listenFDs is the number of sockets that systemd passed to this process, from
// descriptor 3 on: 0 when it passed none, or passed them to another process.
// Source: sd_listen_fds(3).
func listenFDs(getenv func(string) string, pid int) int {
	if to, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || to != pid {
		return 0
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
