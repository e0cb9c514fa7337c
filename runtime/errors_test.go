package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// told is what an engine can read of a failure.
type told struct {
	stderr string
	log    string // the file of --log, "" without one
}

// tell reports an error the way an engine asks for it: with a log in a file,
// in a format, or on standard error.
func tell(err error, format string) told {
	var stderr, file bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&stderr)
	if format == "json" {
		logger.SetFormatter(new(logrus.JSONFormatter))
	}
	p := &program{name: "davit", err: &stderr, log: &journal{logger: logger}}
	if format != "" {
		p.log.logTo(&file)
	}
	p.log.warn("a capability cannot be granted")
	p.report(err)
	return told{stderr.String(), file.String()}
}

// findError and execError are failures of a container's program, before and
// after start.
func findError(program string, errno unix.Errno, detail string) error {
	return &libcontainer.StepError{Op: "find", Doing: fmt.Sprintf("exec: %q", program), Errno: errno, Detail: detail}
}

func execError(program string, errno unix.Errno, detail string) error {
	return &libcontainer.StepError{Op: "exec", Doing: "exec " + program, Errno: errno, Detail: detail}
}

func mountError(dest string, errno unix.Errno) error {
	return &libcontainer.StepError{Op: "attach", Doing: "mounting " + dest, Errno: errno}
}

// failures are what goes wrong most often, and the exit status that podman and
// docker then end with.
var failures = []struct {
	name   string
	err    error
	podman int
	moby   int
}{
	{"not in $PATH", findError("nope", unix.ENOENT, "$PATH"), 127, 127},
	{"no such program", findError("/nope", unix.ENOENT, ""), 127, 127},
	{"not executable", findError("/etc/passwd", unix.EACCES, ""), 126, 126},
	{"a directory", findError("/bin", unix.EISDIR, ""), 126, 126},
	{"missing interpreter", execError("/run.sh", unix.ENOENT, "script /none"), 127, 127},
	{"forbidden by a security module", execError("/run.sh", unix.EACCES, ""), 126, 126},
	{"forbidden by the kernel", mountError("/proc", unix.EPERM), 126, 125},
	{"file upon a directory", mountError("/etc/hosts", unix.ENOTDIR), 125, 127},
	{"anything else", errors.New("config.json: linux.namespaces: mount is missing"), 125, 125},
}

// podmanStatus derives an exit status from a message as podman does, line by
// line, with its expressions.
func podmanStatus(message string) int {
	switch {
	case regexp.MustCompile("(?i).*permission denied.*|.*operation not permitted.*").MatchString(message):
		return 126
	case regexp.MustCompile("(?i).*executable file not found in.*|.*no such file or directory.*").MatchString(message):
		return 127
	}
	return 125
}

func TestPodman(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			got := tell(tt.err, "json")
			if status := podmanStatus(got.log); status != tt.podman {
				t.Errorf("its log gives status %d, want %d:\n%s", status, tt.podman, got.log)
			}
			if status := podmanStatus(got.stderr); status != tt.podman {
				t.Errorf("standard error gives status %d, want %d: %s", status, tt.podman, got.stderr)
			}
		})
	}
}

// TestPodmanLabel keeps the file that a security module refused in backquotes:
// podman takes it for an error of a label by them.
func TestPodmanLabel(t *testing.T) {
	err := fmt.Errorf("applying the label: writing `/proc/thread-self/attr/exec`: %w", unix.EINVAL)
	got := tell(err, "json")
	if match := regexp.MustCompile("`/proc/[a-z0-9-].+/attr.*`").FindString(got.log); !strings.HasSuffix(match, "/exec`") {
		t.Errorf("got %q from %s", match, got.log)
	}
}

// mobyStatus derives an exit status from the message that containerd's shim
// passed on, as dockerd does.
func mobyStatus(message string) int {
	contains := func(phrase string) bool { return strings.Contains(strings.ToLower(message), phrase) }
	switch {
	case contains("executable file not found"), contains("no such file or directory"), contains("not a directory"):
		return 127
	case contains("permission denied"):
		return 126
	}
	return 125
}

func TestMoby(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			message := lastError(t, tell(tt.err, "json").log)
			if status := mobyStatus(message); status != tt.moby {
				t.Errorf("got status %d, want %d: %s", status, tt.moby, message)
			}
		})
	}
}

// lastError is what containerd's shim takes from the log: the message of the
// last entry whose level is error.
func lastError(t *testing.T, log string) (message string) {
	t.Helper()
	errors := 0
	dec := json.NewDecoder(strings.NewReader(log))
	for dec.More() {
		var entry struct{ Level, Msg, Time string }
		if err := dec.Decode(&entry); err != nil {
			t.Fatalf("decoding the log: %v:\n%s", err, log)
		}
		if entry.Time == "" {
			t.Errorf("an entry has no time: %s", log)
		}
		message = ""
		if entry.Level == "error" {
			errors++
			message = entry.Msg
		}
	}
	if errors != 1 || message == "" {
		t.Errorf("got %d errors, and %q last, in:\n%s", errors, message, log)
	}
	return message
}

// TestContainerd checks the phrases that containerd's shim tells states by.
func TestContainerd(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		phrase string
	}{
		{"kill of a stopped container", libcontainer.ErrNotRunning, "container not running"},
		{"any command on no container", libcontainer.ErrNotExist, "does not exist"},
		{"signal to nobody", fmt.Errorf("sending signal 15 to process 1: %w", unix.ESRCH), "no such process"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if message := lastError(t, tell(tt.err, "json").log); !strings.Contains(message, tt.phrase) {
				t.Errorf("got %q, want %q in it", message, tt.phrase)
			}
		})
	}
}

// TestCRIO checks standard error, which CRI-O reads whatever the log is.
func TestCRIO(t *testing.T) {
	for _, format := range []string{"", "text", "json"} {
		for _, err := range []error{libcontainer.ErrNotRunning, fmt.Errorf("sending: %w", unix.ESRCH)} {
			got := tell(err, format).stderr
			if !strings.Contains(got, err.Error()) {
				t.Errorf("format %q: got %q, want %q in it", format, got, err)
			}
		}
	}
}

// TestConmon checks that standard error is one line: conmon passes on all of it.
func TestConmon(t *testing.T) {
	got := tell(errors.New("hook said:\n  first\r\nsecond\n\n"), "json")
	if got.stderr != "hook said:; first; second\n" {
		t.Errorf("got %q", got.stderr)
	}
	if message := lastError(t, got.log); message != "hook said:; first; second" {
		t.Errorf("got %q in the log", message)
	}
}

// TestProgramFailed checks the one message that stands bare on standard error.
func TestProgramFailed(t *testing.T) {
	err := execError("/run.sh", unix.ENOENT, "")
	if got := tell(err, "").stderr; !strings.HasSuffix(got, "\n"+err.Error()+"\n") {
		t.Errorf("got %q, want %q at its end", got, err)
	}
	if message := lastError(t, tell(err, "json").log); message != err.Error() {
		t.Errorf("got %q in the log", message)
	}
	if got := tell(findError("x", unix.ENOENT, "$PATH"), "").stderr; !strings.Contains(got, "level=error") {
		t.Errorf("got %q, want an entry of the log", got)
	}
}

func TestOneLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"one line", "mounting /proc: operation not permitted", "mounting /proc: operation not permitted"},
		{"line break at the end", "text\n", "text"},
		{"lines", "a\nb\r\nc", "a; b; c"},
		{"empty lines", "\n\na\n\n b \n", "a; b"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := oneLine(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRunStatus(t *testing.T) {
	p := newProgram("davit")
	var out bytes.Buffer
	p.out, p.err = &out, &out
	if got := p.run([]string{"--version"}); got != 0 {
		t.Errorf("got status %d, want 0", got)
	}
	if err := error(exitStatus(137)); errors.Unwrap(err) != nil || err.Error() != "exit status 137" {
		t.Errorf("got %v", err)
	}
}
