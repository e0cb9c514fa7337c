package sys

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const slackHelper = "DAVIT_TEST_SLACK"

// The helper slows its watcher; then it starts a process on a thread with the
// watcher's slack.
func TestSlowWatcher(t *testing.T) {
	if os.Getenv(slackHelper) != "" {
		helpSlack(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_SYS_NICE to change the slack of another thread")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSlowWatcher$", "-test.v")
	cmd.Env = append(os.Environ(), slackHelper+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func helpSlack(t *testing.T) {
	if !SlowWatcher() {
		t.Fatal("the slack cannot be changed")
	}
	slow := 0
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if slackOf(t, task.Name()) == strconv.Itoa(watcherSlack) {
			slow++
		}
	}
	if own := slackOf(t, strconv.Itoa(os.Getpid())); slow == 0 || own != strconv.Itoa(defaultSlack) {
		t.Errorf("%d slow threads, the first one's slack is %s", slow, own)
	}
	checkInherited(t)
}

func slackOf(t *testing.T, tid string) string {
	text, err := os.ReadFile("/proc/" + tid + "/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func checkInherited(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, watcherSlack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	RestoreSlack()
	out, err := exec.Command("cat", "/proc/self/timerslack_ns").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != strconv.Itoa(defaultSlack) {
		t.Errorf("a process has inherited the slack %s, %v", got, err)
	}
}
