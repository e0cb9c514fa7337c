package supervise

import (
	"maps"
	"time"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/loop"
)

// notes appends to the store's events, one after the other. Another process may
// have them locked: nothing waits for that.
type notes struct {
	loop  *loop.Loop
	c     *container.Container
	warn  func(string)
	queue []events.Event
	busy  bool
	then  func() // is called when all is noted
}

// note notes that something has happened to the container.
func (n *notes) note(action string, attributes map[string]string) {
	all := map[string]string{"image": n.c.Config.ImageName}
	maps.Copy(all, n.c.Config.Labels)
	maps.Copy(all, attributes)
	n.queue = append(n.queue, events.Event{
		Time: time.Now().UTC(), Type: events.Container, Action: action,
		ID: n.c.Config.ID, Name: n.c.Config.Name, Attributes: all,
	})
	n.next()
}

func (n *notes) next() {
	if n.busy || len(n.queue) == 0 {
		if !n.busy {
			n.then()
		}
		return
	}
	n.busy = true
	first := n.queue[0]
	n.queue = n.queue[1:]
	root := n.c.Store().Root()
	go func() {
		err := events.Append(root, first)
		n.loop.Post(func() {
			n.busy = false
			if err != nil {
				n.warn(err.Error())
			}
			n.next()
		})
	}()
}

// idle tells whether all is noted.
func (n *notes) idle() bool { return !n.busy && len(n.queue) == 0 }
