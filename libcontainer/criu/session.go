package criu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// SocketFD is the descriptor on which criu finds its end of a session, and
// Args its arguments then, without the program's own name.
const SocketFD = 3

// Args are the arguments with which criu serves one session.
func Args() []string { return []string{"swrk", fmt.Sprint(SocketFD)} }

// maxAnswer bounds one message of criu, in bytes.
const maxAnswer = 64 << 10

// exitTime bounds the wait for a criu whose session has ended.
const exitTime = 10 * time.Second

// Session is a conversation with one criu process. Descriptors in requests
// are numbers of the process that made the session.
type Session struct {
	socket  *os.File
	version Version
	process *exec.Cmd // where this package started it
	stderr  *os.File  // what that said before it had a log
}

// Open makes a session and the other end, which is criu's.
func Open() (s *Session, theirs *os.File, err error) {
	ours, theirs, err := sys.Socketpair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, fmt.Errorf("making the socket for criu: %w", err)
	}
	return &Session{socket: ours}, theirs, nil
}

// Start starts criu at path, as a child of this process.
func Start(path string) (*Session, error) {
	s, theirs, err := Open()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if s.stderr, err = memoryFile("criu-stderr"); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.start(path, theirs); err != nil {
		s.Close()
		return nil, fmt.Errorf("starting criu: %w", err)
	}
	return s, nil
}

func (s *Session) start(path string, theirs *os.File) error {
	cmd := exec.Command(path, Args()...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = s.stderr
	if err := sys.KeepDescriptors(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd
	return nil
}

// memoryFile is a file for another process's output: unlike a pipe, it makes
// nobody wait for a reader or for the last writer.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file for criu's messages: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Close ends the session. A criu that Start started has ended then: one that
// does not end by itself is killed.
func (s *Session) Close() error {
	s.socket.Close()
	if s.stderr != nil {
		defer s.stderr.Close()
	}
	if s.process == nil {
		return nil
	}
	stop := time.AfterFunc(exitTime, func() { s.process.Process.Kill() })
	defer stop.Stop()
	return s.process.Wait()
}

// Version asks criu its version, and refuses one that is older than MinVersion.
func (s *Session) Version() (Version, error) {
	if s.version != 0 {
		return s.version, nil
	}
	answer, err := s.ask(&rpc.CriuReq{Type: kind(rpc.CriuReqType_VERSION), KeepOpen: yes()})
	if err != nil {
		return 0, fmt.Errorf("asking criu its version: %w", s.explain(err))
	}
	s.version = number(answer.GetVersion())
	return s.version, s.Require("checkpoint and restore", MinVersion)
}

// number counts a build from between two releases as the later of them.
func number(v *rpc.CriuVersion) Version {
	n := Version(v.GetMajorNumber())*10000 + Version(v.GetMinorNumber())*100
	if v.GetGitid() != "" {
		return n + 100
	}
	return n + Version(v.GetSublevel())
}

// Require refuses a criu that is too old for something.
func (s *Session) Require(what string, need Version) error {
	if s.version < need {
		return &TooOldError{what, s.version, need}
	}
	return nil
}

// Features is what a criu can do on this kernel.
type Features struct {
	MemoryTracking bool // of what was written since an earlier dump
	LazyPages      bool // that are read when they are wanted
}

// Features asks criu what it can do here.
func (s *Session) Features() (Features, error) {
	answer, err := s.ask(&rpc.CriuReq{
		Type: kind(rpc.CriuReqType_FEATURE_CHECK), KeepOpen: yes(),
		Features: &rpc.CriuFeatures{MemTrack: yes(), LazyPages: yes()},
	})
	if err != nil {
		return Features{}, fmt.Errorf("asking criu what it can do on this kernel: %w", s.explain(err))
	}
	f := answer.GetFeatures()
	return Features{MemoryTracking: f.GetMemTrack(), LazyPages: f.GetLazyPages()}, nil
}

// errSilent says that criu ended without an answer.
var errSilent = errors.New("criu ended without an answer")

// errRefused says that criu answered with no.
var errRefused = errors.New("criu failed")

// ask sends a request and waits for the answer to it.
func (s *Session) ask(r *rpc.CriuReq) (*rpc.CriuResp, error) {
	if err := s.send(r); err != nil {
		return nil, err
	}
	answer, files, err := s.receive()
	sys.CloseAll(files)
	if err == nil && answer.GetType() != r.GetType() {
		err = fmt.Errorf("it answered with message type %d to %d", int(answer.GetType()), int(r.GetType()))
	}
	return answer, err
}

func (s *Session) send(r *rpc.CriuReq) error {
	data, err := r.MarshalVT()
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	err = sys.Send(s.socket, data)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return errSilent
	}
	return err
}

// receive gives the next message, and the descriptors that came with it, which
// are the caller's to close. An answer that says no is an error beside it.
func (s *Session) receive() (*rpc.CriuResp, []*os.File, error) {
	buf := make([]byte, maxAnswer)
	n, files, err := sys.Recv(s.socket, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		return nil, nil, errSilent
	}
	if err != nil {
		return nil, nil, err
	}
	answer := &rpc.CriuResp{}
	if err := answer.UnmarshalVT(buf[:n]); err != nil {
		sys.CloseAll(files)
		return nil, nil, fmt.Errorf("decoding criu's message: %w", err)
	}
	if !answer.GetSuccess() {
		return answer, files, refusal(answer)
	}
	return answer, files, nil
}

// refusal says why criu failed, as far as its answer tells.
func refusal(answer *rpc.CriuResp) error {
	err := errRefused
	if text := answer.GetCrErrmsg(); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	if n := answer.GetCrErrno(); n != 0 {
		err = fmt.Errorf("%w: %w", err, unix.Errno(n))
	}
	return err
}

func kind(t rpc.CriuReqType) *rpc.CriuReqType { return &t }

func yes() *bool { return set(true) }

// set is a field that is given.
func set[T any](v T) *T { return &v }
