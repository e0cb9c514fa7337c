package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// userUID is of a user who is nobody on this machine.
const userUID = 54321

// asUser runs this program as that user: `helper what root container pid
// program`, and returns what it says.
func asUser(t *testing.T, env ...string) (Attachment, error) {
	t.Helper()
	cmd := exec.Command(userProgramCopy(t))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "DAVIT_TEST_NETWORK_HELPER=user"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userUID, Gid: userUID}}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return Attachment{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var a Attachment
	return a, json.Unmarshal(stdout.Bytes(), &a)
}

// userProgramCopy is this program where that user finds it.
func userProgramCopy(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(userDir(t), "helper")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// userDir is a directory of that user's.
func userDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "davit-network-user-")
	if err == nil {
		err = os.Chown(dir, userUID, userUID)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// attachUser is the program of that user.
func attachUser() int {
	s, err := Open(os.Getenv("ROOT"), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv("DETACH") != "" {
		err := s.Detach(context.Background(), "c")
		fmt.Fprintln(os.Stderr, err)
		fmt.Println("{}")
		return map[bool]int{true: 0, false: 1}[err == nil]
	}
	ports, _ := ParsePorts([]string{"8080:80", "127.0.0.1:8081:80", "80"})
	if os.Getenv("PORTS") == "bad" {
		ports = []Port{{Host: 2000, Container: 1, Protocol: "sctp"}}
	}
	ns := "/proc/" + os.Getenv("CONTAINER") + "/ns/"
	a, err := s.AttachUser(context.Background(), UserRequest{
		Container: "c", Namespace: ns + "net", UserNamespace: ns + "user", Program: os.Getenv("PROGRAM"), Ports: ports,
		Files: &Files{Dir: os.Getenv("FILES"), Kind: User, Hostname: "c"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	json.NewEncoder(os.Stdout).Encode(a)
	return 0
}

// userContainer is a process of that user's in namespaces of its own.
func userContainer(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(needs.Program(t, "unshare"), "--user", "--map-root-user", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep 1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userUID, Gid: userUID}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		needs.Kernel(t, needs.UserNamespaces, fmt.Errorf("no container of a user: %w", err))
	}
	return cmd
}

func TestUserPrograms(t *testing.T) {
	for _, program := range []string{pastaName, slirpName} {
		t.Run(program, func(t *testing.T) {
			outside := machine(t)
			if _, err := lookPath(program); err != nil {
				needs.Program(t, program)
			}
			testUserProgram(t, program, outside)
		})
	}
}

// openTun lets every user open /dev/net/tun, as udev does.
func openTun(t *testing.T) {
	t.Helper()
	node := filepath.Join("/run", "tun")
	err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200)))
	if err == nil {
		err = os.Chmod(node, 0o666)
	}
	if err == nil {
		err = unix.Mount(node, "/dev/net/tun", "", unix.MS_BIND, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount("/dev/net/tun", unix.MNT_DETACH) })
}

func testUserProgram(t *testing.T, program, outside string) {
	openTun(t)
	c := userContainer(t)
	root, files := userDir(t), userDir(t)
	env := []string{"ROOT=" + root, "FILES=" + files, fmt.Sprint("CONTAINER=", c.Process.Pid), "PROGRAM=" + program}
	a, err := asUser(t, env...)
	if err != nil {
		t.Fatal(err)
	}
	ns := fmt.Sprintf("/proc/%d/ns/net", c.Process.Pid)
	serve(t, ns, ":80")
	serve(t, outside, ":80")
	serve(t, "/proc/thread-self/ns/net", "127.0.0.1:90")
	random := a.Ports[2].Host
	published, at := outside, hostAddr
	if program == pastaName {
		published, at = "", "127.0.0.1" // see findUserProgram
	}
	for _, tt := range []struct {
		name, from, to string
		reached        bool
	}{
		{"another machine", ns, outsideAddr + ":80", true},
		{"published", published, at + ":8080", true},
		{"published, random", published, fmt.Sprintf("%s:%d", at, random), true},
		{"published on lo", "", "127.0.0.1:8081", true},
		{"published on lo, from another machine", outside, hostAddr + ":8081", false},
		{"the host's lo", ns, outsideAddr + ":90", false},
		{"the host's lo by the gateway", ns, "10.0.2.2:90", false},
	} {
		if _, err := call(tt.from, tt.to); (err == nil) != tt.reached {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	want := map[string]netip.Addr{pastaName: pastaDNS, slirpName: slirpDNS}[program]
	if data, _ := os.ReadFile(filepath.Join(files, "resolv.conf")); !strings.Contains(string(data), "nameserver "+want.String()+"\n") {
		t.Errorf("resolv.conf: %s", data)
	}
	if startTime(a.User.PID) != a.User.Start || a.User.Start == 0 {
		t.Errorf("process: %+v", a.User)
	}
	if program == slirpName || startTime(a.User.PID) != 0 {
		if found := find(filepath.Join(root, "user", "c")); len(found) != 1 || found[0].PID != a.User.PID {
			t.Errorf("found %+v, want %+v", found, a.User)
		}
	}
	forget(t, root) // as after a crash in between
	if _, err := asUser(t, append(env, "DETACH=1")...); err != nil {
		t.Error(err)
	}
	if startTime(a.User.PID) != 0 {
		t.Error("the program still runs")
	}
	if left, _ := filepath.Glob(root + "/*/*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := asUser(t, append(env, "PORTS=bad")...); err == nil || !strings.Contains(err.Error(), "forwards tcp and udp") {
		t.Errorf("a port of sctp: %v", err)
	}
	if left, _ := filepath.Glob(root + "/*/*"); len(left) > 0 || len(find(filepath.Join(root, "user", "c"))) > 0 {
		t.Errorf("left after a failure: %q", left)
	}
}

// forget takes the pid out of the state.
func forget(t *testing.T, root string) {
	t.Helper()
	path := filepath.Join(root, "attachments", "c.json")
	var a Attachment
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.User.PID, a.User.Start = 0, 0
	data, _ = json.Marshal(a)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUserProgramMissing(t *testing.T) {
	_, err := findUserProgram("none-such")
	if !errors.Is(err, exec.ErrNotFound) || !strings.HasPrefix(err.Error(), "none-such: executable file not found in $PATH") {
		t.Error(err)
	}
}
