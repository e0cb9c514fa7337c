package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/privatesocket"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/task"
)

// addressFile is where a bundle says which socket its supervisor has.
const addressFile = "address"

// exitsSuffix makes the name of the keeper's file, beside the socket.
const exitsSuffix = ".exits"

// start prints the address of the supervisor of the container's group, which
// it starts if there is none. Whatever interrupts it: a supervisor that nobody
// claims ends by itself.
func (c *call) start() error {
	r, err := c.readRequest(os.Stdin)
	if err != nil {
		return err
	}
	group, err := c.group()
	if err != nil {
		return err
	}
	dir := r.socketDir
	if dir == "" {
		dir = defaultSocketDir
	}
	lock, err := lockSockets(dir)
	if err != nil {
		return fmt.Errorf("making the directory of sockets %s: %w", dir, err)
	}
	defer lock.Close()
	path, err := socketPath(dir, r.grpcAddress, c.namespace, group)
	if err != nil {
		return err
	}
	if !served(path) {
		if err := c.launch(r, path); err != nil {
			os.Remove(path)
			return err
		}
	}
	address := "unix://" + path
	if err := os.WriteFile(addressFile, []byte(address), 0o600); err != nil {
		return err
	}
	return r.answer(address)
}

// launch starts a supervisor. What is to be its own, and its keeper's, is set
// for this process first: both inherit it.
func (c *call) launch(r *request, path string) error {
	listener, err := privatesocket.Listen(path)
	if err != nil {
		return err
	}
	defer listener.Close()
	options, err := task.RuncOptions(r.options)
	if err != nil {
		return err
	}
	if err := joinCgroup(options.ShimCgroup); err != nil {
		return err
	}
	if err := adjustOOMScore(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	_, err = keeper.Start(keeper.Launch{
		Program: self, Args: c.serveArgs(r), Env: serveEnv(r), Dir: dir, Listener: listener, Exits: path + exitsSuffix,
	})
	return err
}

func (c *call) serveArgs(r *request) []string {
	args := []string{"-namespace", c.namespace, "-id", c.id, "-address", r.grpcAddress}
	if r.debug {
		args = append(args, "-debug")
	}
	return append(args, "serve")
}

// serveEnv is the supervisor's environment: the caller's, with what Go's
// runtime reads before main. Measured: see docs/engines.md.
func serveEnv(r *request) []string {
	env := []string{"TTRPC_ADDRESS=" + r.ttrpcAddress, "GOMAXPROCS=2"}
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); name != "TTRPC_ADDRESS" && name != "GOMAXPROCS" {
			env = append(env, e)
		}
	}
	return env
}

// adjustOOMScore makes this process a little more likely to be killed for want
// of memory than containerd is.
func adjustOOMScore() error {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/oom_score_adj")
	if err != nil {
		return fmt.Errorf("reading containerd's oom_score_adj: %w", err)
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("reading containerd's oom_score_adj: %w", err)
	}
	const most = 1000
	err = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(min(score+1, most))), 0)
	if err != nil && !os.IsPermission(err) {
		return fmt.Errorf("setting oom_score_adj: %w", err)
	}
	return nil
}

// joinCgroup moves this process into a cgroup that is there; "" is none.
func joinCgroup(path string) error {
	if path == "" {
		return nil
	}
	self := []byte(strconv.Itoa(os.Getpid()))
	roots := []string{"/sys/fs/cgroup"}
	var st unix.Statfs_t
	if err := unix.Statfs(roots[0], &st); err == nil && st.Type != unix.CGROUP2_SUPER_MAGIC {
		roots, _ = filepath.Glob("/sys/fs/cgroup/*")
	}
	joined := false
	for _, root := range roots {
		file := filepath.Join(root, path, "cgroup.procs")
		if _, err := os.Stat(file); err != nil {
			continue
		}
		if err := os.WriteFile(file, self, 0); err != nil {
			return fmt.Errorf("entering the cgroup %s: %w", path, err)
		}
		joined = true
	}
	if !joined {
		return fmt.Errorf("entering the cgroup %s: %w", path, os.ErrNotExist)
	}
	return nil
}
