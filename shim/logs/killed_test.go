package logs

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writeForEver writes numbered lines, and says of each that it is written.
func writeForEver(path string, n int) {
	w, err := Open(Config{Driver: JSONFile, Path: path, MaxSize: 2000, MaxFiles: 100_000})
	for ; err == nil; n++ {
		if err = w.Write(Stdout, fmt.Appendf(nil, "%d\n", n)); err == nil {
			_, err = fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A writer that is killed at any moment, also while it rotates, loses nothing
// that it had written, and one that goes on repeats nothing; a reader that
// follows sees it all.
func TestKilled(t *testing.T) {
	if path := os.Getenv("DAVIT_TEST_LOG"); path != "" {
		n, _ := strconv.Atoi(os.Getenv("DAVIT_TEST_LOG_FROM"))
		writeForEver(path, n)
	}
	path := filepath.Join(t.TempDir(), "log")
	f := follow(t, path, all)
	next := 0
	for range 15 {
		written := killedWriter(t, path, next)
		last := -1
		if err := Read(context.Background(), path, Query{Tail: 1}, func(r Record) (err error) {
			last, err = strconv.Atoi(strings.TrimSpace(string(r.Line)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if last < written || last > written+1 {
			t.Fatalf("the last line is %d, after %d was written", last, written)
		}
		next = last + 1
	}
	got, _ := read(t, path, all)
	inOrder(t, strings.Split(strings.TrimSpace(got), "\n"), next)
	var followed []string
	for _, line := range f.end(t) {
		followed = append(followed, strings.TrimSpace(line))
	}
	inOrder(t, followed, next)
}

// killedWriter runs a writer for a while, kills it, and returns the last line
// that it said was written.
func killedWriter(t *testing.T, path string, from int) (written int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "DAVIT_TEST_LOG="+path, fmt.Sprint("DAVIT_TEST_LOG_FROM=", from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it wrote nothing")
	}
	timer := time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { cmd.Process.Kill() })
	defer timer.Stop()
	for text := lines.Text(); ; text = lines.Text() {
		if n, err := strconv.Atoi(text); err == nil {
			written = n
		}
		if !lines.Scan() {
			break
		}
	}
	cmd.Wait()
	return written
}

// inOrder checks that the lines are the numbers up to n.
func inOrder(t *testing.T, lines []string, n int) {
	t.Helper()
	if len(lines) != n {
		t.Errorf("%d lines, want %d", len(lines), n)
	}
	for i, line := range lines {
		if line != strconv.Itoa(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}
