package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
)

// systemBus is where the system's D-Bus listens.
const systemBus = "/run/dbus/system_bus_socket"

// busVariable tells D-Bus clients where to find the system's bus.
const busVariable = "DBUS_SYSTEM_BUS_ADDRESS"

// busWatch counts the messages that runtimes send to the system's D-Bus: it
// stands in front of the bus, where there is one; otherwise an attempt to
// connect counts as one message.
type busWatch struct {
	listener *net.UnixListener
	messages atomic.Int64
}

// watchBus begins to count, with a socket in dir. Commands that are started
// from now on use it.
func watchBus(dir string) (*busWatch, error) {
	path := filepath.Join(dir, "bus")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("standing in for the system's D-Bus: %w", err)
	}
	w := &busWatch{listener: listener}
	go w.serve()
	return w, os.Setenv(busVariable, "unix:path="+path)
}

// close ends the watch.
func (w *busWatch) close() {
	os.Unsetenv(busVariable)
	w.listener.Close()
}

// count is how many messages there were since the last time.
func (w *busWatch) count() int { return int(w.messages.Swap(0)) }

// serve takes connections.
func (w *busWatch) serve() {
	for {
		client, err := w.listener.AcceptUnix()
		if err != nil {
			return
		}
		bus, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: systemBus, Net: "unix"})
		if err != nil {
			w.messages.Add(1)
			client.Close()
			continue
		}
		go pass(bus, client, func([]byte) {})
		go pass(client, bus, w.counter())
	}
}

// pass hands on what one end says, with the descriptors that come with it.
func pass(from, to *net.UnixConn, look func([]byte)) {
	defer from.Close()
	defer to.Close()
	data, control := make([]byte, 64<<10), make([]byte, 4<<10)
	for {
		n, m, _, _, err := from.ReadMsgUnix(data, control)
		if err != nil || n == 0 {
			return
		}
		look(data[:n])
		if _, _, err := to.WriteMsgUnix(data[:n], control[:m], nil); err != nil {
			return
		}
	}
}

// counter counts the messages in a stream, which follow a talk in lines that
// ends with BEGIN.
// Spec: D-Bus specification, "Message Protocol", "Authentication Protocol"
func (w *busWatch) counter() func([]byte) {
	var held []byte
	begun := false
	return func(data []byte) {
		held = append(held, data...)
		if !begun {
			_, rest, found := bytes.Cut(held, []byte("BEGIN\r\n"))
			if !found {
				return
			}
			held, begun = rest, true
		}
		for {
			size, err := messageSize(held)
			if err != nil || size > len(held) {
				return
			}
			held = held[size:]
			w.messages.Add(1)
		}
	}
}

// messageSize is the size of the message with which data begins.
func messageSize(data []byte) (int, error) {
	if len(data) < 16 {
		return 0, errors.New("not a whole header")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'B' {
		order = binary.BigEndian
	}
	body, fields := order.Uint32(data[4:]), order.Uint32(data[12:])
	return 16 + (int(fields)+7)&^7 + int(body), nil
}
