package criu

import (
	"errors"
	"fmt"
	"os"

	"github.com/checkpoint-restore/go-criu/v8/rpc"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Notification tells how far criu is. It stops until it is answered.
type Notification struct {
	Event string   // such as PostRestore
	Pid   int      // of the restored root process, where there is one
	File  *os.File // that came with it, to be used before the answer; or nil
}

// Events that a caller may have to do with. There are others.
const (
	StatusReady     = "status-ready"      // dumping: the page server waits for callers
	SetupNamespaces = "setup-namespaces"  // restoring: the root process is in its namespaces
	PTYMaster       = "orphan-pts-master" // restoring: File is the master of the terminal
	PostRestore     = "post-restore"      // restoring: all processes are there, and stand still
	PreResume       = "pre-resume"        // restoring: they have their rights, and still stand still
)

// Handler does what is to be done at an event. Its error ends the request.
type Handler func(Notification) error

// Dump writes processes to image files.
func (s *Session) Dump(d *Dump, handle Handler) error {
	if err := d.check(s); err != nil {
		return err
	}
	return s.serve("dump", &d.Options, &rpc.CriuReq{Type: kind(rpc.CriuReqType_DUMP), Opts: d.rpc()}, handle)
}

// PreDump writes their memory alone, and notes what is written to it later.
func (s *Session) PreDump(d *Dump, handle Handler) error {
	if err := d.check(s); err != nil {
		return err
	}
	return s.serve("pre-dump", &d.Options, &rpc.CriuReq{Type: kind(rpc.CriuReqType_PRE_DUMP), Opts: d.rpc()}, handle)
}

// Restore makes processes from image files: as siblings of criu, so that they
// are children of the process that started it.
func (s *Session) Restore(r *Restore, handle Handler) error {
	if err := r.check(s); err != nil {
		return err
	}
	return s.serve("restore", &r.Options, &rpc.CriuReq{Type: kind(rpc.CriuReqType_RESTORE), Opts: r.rpc()}, handle)
}

// serve sends a request and answers what criu notifies of until it is done.
func (s *Session) serve(phase string, o *Options, r *rpc.CriuReq, handle Handler) error {
	last := ""
	err := s.send(r)
	for done := false; err == nil && !done; {
		done, err = s.step(r.GetType(), &last, handle)
	}
	if errors.Is(err, errRefused) || errors.Is(err, errSilent) {
		return o.failure(phase, last, s.explain(err))
	}
	return err
}

// step takes the next message: the answer to the request, or an event.
func (s *Session) step(request rpc.CriuReqType, last *string, handle Handler) (done bool, err error) {
	answer, files, err := s.receive()
	defer sys.CloseAll(files)
	switch {
	case err != nil:
		return false, err
	case answer.GetType() == request:
		return true, nil
	case answer.GetType() != rpc.CriuReqType_NOTIFY:
		return false, fmt.Errorf("talking to criu: it answered with message type %d to %d", int(answer.GetType()), int(request))
	}
	n := Notification{Event: answer.GetNotify().GetScript(), Pid: int(answer.GetNotify().GetPid())}
	if len(files) > 0 {
		n.File = files[0]
	}
	*last = n.Event
	if err := handle(n); err != nil {
		return false, err
	}
	return false, s.send(&rpc.CriuReq{Type: kind(rpc.CriuReqType_NOTIFY), NotifySuccess: yes()})
}
