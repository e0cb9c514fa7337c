package criu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		name    string
		version *rpc.CriuVersion
		want    Version
		text    string
	}{
		{"release", &rpc.CriuVersion{MajorNumber: set(int32(3)), MinorNumber: set(int32(17)), Sublevel: set(int32(1))}, 31701, "3.17.1"},
		{"without a third number", &rpc.CriuVersion{MajorNumber: set(int32(4)), MinorNumber: set(int32(1))}, 40100, "4.1"},
		{"between releases", &rpc.CriuVersion{MajorNumber: set(int32(3)), MinorNumber: set(int32(14)), Sublevel: set(int32(2)), Gitid: set("v3.14-7-gab")}, 31500, "3.15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := number(c.version); got != c.want || got.String() != c.text {
				t.Errorf("got %d %q, want %d %q", got, got, c.want, c.text)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]CgroupMode{"": CgroupDefault, "soft": CgroupSoft, "full": CgroupFull, "strict": CgroupStrict, "ignore": CgroupIgnore} {
		if got, err := ParseCgroupMode(name); err != nil || got != want {
			t.Errorf("ParseCgroupMode(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	if _, err := ParseCgroupMode("hard"); err == nil {
		t.Error("ParseCgroupMode takes hard")
	}
	for name, want := range map[string]rpc.CriuNetworkLockMethod{"iptables": rpc.CriuNetworkLockMethod_IPTABLES,
		"nftables": rpc.CriuNetworkLockMethod_NFTABLES, "skip": rpc.CriuNetworkLockMethod_SKIP} {
		if got, err := ParseNetworkLock(name); err != nil || rpc.CriuNetworkLockMethod(got) != want {
			t.Errorf("ParseNetworkLock(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	if _, err := ParseNetworkLock("ipchains"); err == nil {
		t.Error("ParseNetworkLock takes ipchains")
	}
}

func TestCause(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"nothing", "(00.000001) Version: 3.17.1\n", ""},
		{"the first, not what follows from it", "(00.01) Error (criu/util.c:642): exited, status=1\n" +
			"(00.02) Error (criu/files-reg.c:1629): Can't lookup mount=25 for fd=1 path=/tmp/x\n" +
			"(00.03) Error (criu/cr-dump.c:1550): Dump files (pid: 9) failed with -1\n" +
			"(00.04) Error (criu/cr-dump.c:1999): Dumping FAILED.\n",
			"Error (criu/files-reg.c:1629): Can't lookup mount=25 for fd=1 path=/tmp/x"},
		{"a general one where there is no other", "(00.04) Error (criu/cr-dump.c:1999): Dumping FAILED.", "Error (criu/cr-dump.c:1999): Dumping FAILED."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := cause([]byte(c.log)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A log that is not a regular file is not opened: a FIFO would block, and a
// link may lead anywhere.
func TestFailureReadsOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	log := "(00.01) Error (x.c:1): secret\n"
	if err := os.WriteFile(secret, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(string) error{
		"link":    func(p string) error { return os.Symlink(secret, p) },
		"fifo":    func(p string) error { return unix.Mkfifo(p, 0o600) },
		"regular": func(p string) error { return os.Link(secret, p) },
		"missing": func(string) error { return nil },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		images, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Images: images, LogFile: name}
		text := o.failure("dump", "network-lock", errRefused).Error()
		images.Close()
		if read := strings.Contains(text, "secret"); read != (name == "regular") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// peer plays criu's end of a session with the answers given.
func peer(t *testing.T, answers ...func(*rpc.CriuReq) (*rpc.CriuResp, []int)) *Session {
	t.Helper()
	s, theirs, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	go func() {
		defer theirs.Close()
		for _, answer := range answers {
			buf := make([]byte, maxAnswer)
			n, _, err := sys.Recv(theirs, buf)
			if err != nil {
				return
			}
			r := &rpc.CriuReq{}
			if r.UnmarshalVT(buf[:n]) != nil {
				return
			}
			resp, fds := answer(r)
			data, err := resp.MarshalVT()
			if err != nil || sys.Send(theirs, data, fds...) != nil {
				return
			}
		}
	}()
	return s
}

func notify(event string, pid int, fds ...int) func(*rpc.CriuReq) (*rpc.CriuResp, []int) {
	return func(*rpc.CriuReq) (*rpc.CriuResp, []int) {
		return &rpc.CriuResp{Type: kind(rpc.CriuReqType_NOTIFY), Success: set(true),
			Notify: &rpc.CriuNotify{Script: &event, Pid: set(int32(pid))}}, fds
	}
}

func answer(t rpc.CriuReqType, success bool) func(*rpc.CriuReq) (*rpc.CriuResp, []int) {
	return func(*rpc.CriuReq) (*rpc.CriuResp, []int) { return &rpc.CriuResp{Type: &t, Success: &success}, nil }
}

func images(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Events come in order, each answered before the next, with what came with it.
func TestRestoreNotifies(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var heard []string
	s := peer(t, notify("pre-restore", 0), notify(SetupNamespaces, 7), notify(PTYMaster, 0, int(null.Fd())),
		notify(PostRestore, 7), answer(rpc.CriuReqType_RESTORE, true))
	err = s.Restore(&Restore{Options: Options{Images: images(t), LogFile: "log"}}, func(n Notification) error {
		heard = append(heard, n.Event)
		if (n.Event == PostRestore) != (n.Pid == 7) && n.Event != SetupNamespaces {
			t.Errorf("%s has pid %d", n.Event, n.Pid)
		}
		if (n.File != nil) != (n.Event == PTYMaster) {
			t.Errorf("%s has file %v", n.Event, n.File)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(heard, " "), "pre-restore setup-namespaces orphan-pts-master post-restore"; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
}

func TestFailures(t *testing.T) {
	null := func(Notification) error { return nil }
	refused := errors.New("refused by the handler")
	for _, c := range []struct {
		name   string
		peer   []func(*rpc.CriuReq) (*rpc.CriuResp, []int)
		handle Handler
		want   string
	}{
		{"criu says no", []func(*rpc.CriuReq) (*rpc.CriuResp, []int){notify("network-lock", 0), answer(rpc.CriuReqType_DUMP, false)}, null,
			"criu failed to dump after network-lock: criu failed"},
		{"criu dies", nil, null, "criu failed to dump: criu ended without an answer"},
		{"the handler says no", []func(*rpc.CriuReq) (*rpc.CriuResp, []int){notify("network-lock", 0)},
			func(Notification) error { return refused }, "refused by the handler"},
		{"criu answers something else", []func(*rpc.CriuReq) (*rpc.CriuResp, []int){answer(rpc.CriuReqType_RESTORE, true)}, null,
			"talking to criu: it answered with message type 2 to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := peer(t, c.peer...)
			err := s.Dump(&Dump{Options: Options{Images: images(t), LogFile: "log"}}, c.handle)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestTooOld(t *testing.T) {
	s := peer(t, func(*rpc.CriuReq) (*rpc.CriuResp, []int) {
		return &rpc.CriuResp{Type: kind(rpc.CriuReqType_VERSION), Success: set(true), Version: &rpc.CriuVersion{MajorNumber: set(int32(3)), MinorNumber: set(int32(11))}}, nil
	})
	_, err := s.Version()
	var old *TooOldError
	if !errors.As(err, &old) || err.Error() != "checkpoint and restore needs criu 3.15, and 3.11 is installed [install a newer criu]" {
		t.Errorf("got %v", err)
	}
	s.version = 31701
	if err := (&Restore{Options: Options{NetworkLock: LockSkip}}).check(s); !errors.As(err, &old) {
		t.Errorf("skip: got %v", err)
	}
	if err := (&Restore{Options: Options{NetworkLock: LockNFTables}, LSMProfile: "apparmor:x"}).check(s); err != nil {
		t.Errorf("nftables: %v", err)
	}
}

func TestFindSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "[install criu]") {
		t.Errorf("got %v", err)
	}
}

// The real program: several questions are one process's to answer.
func TestCriuItself(t *testing.T) {
	path := needs.Program(t, "criu")
	s, err := Start(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := s.Version(); err != nil || v < MinVersion {
		t.Fatalf("version %v, %v", v, err)
	}
	if _, err := s.Features(); err != nil {
		t.Logf("this criu does not know this kernel: %v", err)
	}
}

// What criu sends is another program's: no message may make this one fail
// otherwise than by an error.
func FuzzReceive(f *testing.F) {
	for _, seed := range []*rpc.CriuResp{
		{Type: kind(rpc.CriuReqType_DUMP), Success: set(true)},
		{Type: kind(rpc.CriuReqType_NOTIFY), Success: set(true), Notify: &rpc.CriuNotify{Script: set(PostRestore), Pid: set(int32(3))}},
		{Type: kind(rpc.CriuReqType_DUMP), Success: set(false), CrErrmsg: set("no"), CrErrno: set(int32(2))},
	} {
		data, err := seed.MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > maxAnswer {
			return
		}
		s, theirs, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := sys.Send(theirs, data); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		answer, files, err := s.receive()
		if err == nil && !answer.GetSuccess() {
			t.Errorf("an answer that says no is no error: %x", data)
		}
		sys.CloseAll(files)
	})
}

// CVE-2024-21626: what our caller left open is not for criu.
func TestCallersDescriptors(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	dir := t.TempDir()
	program, out := filepath.Join(dir, "criu"), filepath.Join(dir, "out")
	script := "#!/bin/sh\nreadlink /proc/self/fd/* >" + out + "\ntrue\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Start(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if !strings.Contains(string(got), "socket:") || strings.Contains(string(got), "/etc/passwd") {
		t.Errorf("criu has %s, %v", got, err)
	}
}
