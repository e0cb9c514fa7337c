package keeper

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
)

// socket is where a supervisor finds its keeper.
const socket = 3

// Exit is how a process ended that was an orphan.
type Exit struct {
	Pid    int
	Status uint32 // the exit code, or 128 and the signal's number
	At     time.Time
}

// Keeper is a supervisor's end of the conversation. A nil Keeper keeps nothing.
type Keeper struct {
	file  *os.File
	watch *loop.Watch
	// Kept are the descriptors that it had when this supervisor began, by key.
	Kept map[string]*os.File
	// Starts is how many supervisors there were before, and Woken that the last one
	// was asleep.
	Starts int
	Woken  bool

	sleeps bool // it knows Sleep
	heard  int  // of exits
}

// The keys of what a keeper has from the beginning.
const (
	ListenerKey = "listener"
	ExitsKey    = "exits"
)

// messageSize is more than any message has, in bytes.
const messageSize = 256

// Meet hears what the keeper has. It is for the beginning: it waits.
func Meet() (*Keeper, error) {
	k := &Keeper{file: os.NewFile(socket, "keeper"), Kept: map[string]*os.File{}}
	unix.CloseOnExec(socket)
	for {
		word, rest, file, err := k.hear(0)
		if err != nil {
			return nil, fmt.Errorf("hearing from the keeper: %w", err)
		}
		switch {
		case word == "have" && file != nil:
			k.Kept[rest] = file
		case word == "sleeps":
			k.sleeps = true
		case word == "begin", word == "woken":
			k.Woken = word == "woken"
			k.Starts, err = strconv.Atoi(rest)
			return k, err
		}
	}
}

func (k *Keeper) hear(flags int) (word, rest string, file *os.File, err error) {
	buf, control := make([]byte, messageSize), make([]byte, unix.CmsgSpace(4))
	n, cn, _, _, err := unix.Recvmsg(int(k.file.Fd()), buf, control, flags|unix.MSG_CMSG_CLOEXEC)
	if err == unix.EINTR {
		return k.hear(flags)
	}
	if err == nil && n == 0 {
		err = unix.ECONNRESET
	}
	if err != nil {
		return "", "", nil, err
	}
	word, rest, _ = strings.Cut(string(buf[:n]), " ")
	if cn > 0 {
		file, err = received(control[:cn])
	}
	return word, rest, file, err
}

func received(control []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, err
	}
	return raw(fds[0]), nil
}

// raw is a file whose descriptor os.File leaves as it is.
func raw(fd int) *os.File {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		unix.SetNonblock(fd, false)
		defer unix.SetNonblock(fd, true)
	}
	return os.NewFile(uintptr(fd), "kept")
}

// Listen has every further exit told to exited, and the keeper's end to lost.
func (k *Keeper) Listen(l *loop.Loop, exited func(Exit), lost func()) (err error) {
	k.watch, err = l.Watch(socket, loop.Readable, func(uint32) {
		word, rest, _, err := k.hear(unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
		case err != nil:
			k.watch.Stop()
			lost()
		case word == "exit":
			k.heard++
			if e, ok := parseExit(rest); ok {
				exited(e)
			}
		}
	})
	return err
}

func parseExit(text string) (Exit, bool) {
	var e Exit
	var seconds, nanos int64
	n, err := fmt.Sscan(text, &e.Pid, &e.Status, &seconds, &nanos)
	e.At = time.Unix(seconds, nanos)
	return e, err == nil && n == 4
}

// Keep has the keeper hold a descriptor, in place of one that has the key. A keeper
// that has ended holds nothing, which is no reason to give up what it is for.
func (k *Keeper) Keep(key string, f *os.File) error {
	if k == nil {
		return nil
	}
	err := unix.Sendmsg(int(k.file.Fd()), []byte("keep "+key), unix.UnixRights(int(f.Fd())), nil, unix.MSG_NOSIGNAL)
	if err != nil && err != unix.EPIPE && err != unix.ECONNRESET {
		return fmt.Errorf("handing a descriptor to the keeper: %w", err)
	}
	return nil
}

// Drop has the keeper close what has the key, if anything.
func (k *Keeper) Drop(key string) {
	if k != nil {
		k.say("drop " + key)
	}
}

// CanSleep tells whether the keeper knows Sleep: one that was started by an earlier
// version of this program may not.
func (k *Keeper) CanSleep() bool { return k != nil && k.sleeps }

// Sleep is a supervisor's last word that has nothing to do: after it, it is to end,
// with any status. The keeper starts another when one of the keys has something to
// read, or an orphan has ended, also one of which this supervisor has not heard.
func (k *Keeper) Sleep(wakers []string) error {
	for _, key := range wakers {
		if err := k.say("wake " + key); err != nil {
			return err
		}
	}
	return k.say("sleep " + strconv.Itoa(k.heard))
}

func (k *Keeper) say(text string) error {
	if err := unix.Sendmsg(int(k.file.Fd()), []byte(text), nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("speaking to the keeper: %w", err)
	}
	return nil
}

// ReadExits reads the file of exits: all that the keeper remembers.
func ReadExits(f *os.File) ([]Exit, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the file of exits: %w", err)
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) {
		return nil, fmt.Errorf("reading the file of exits: %w", err)
	}
	var list []Exit
	for line := range strings.Lines(string(data)) {
		if e, ok := parseExit(line); ok {
			list = append(list, e)
		}
	}
	return list, nil
}
