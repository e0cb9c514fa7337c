package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// A monitor is a conversation with QEMU itself.
//
// Source: QEMU Machine Protocol Specification, docs/interop/qmp-spec.txt.
type monitor struct {
	socket    *os.File
	decoder   *json.Decoder
	migration string // the latest status of saving or restoring
}

// A reply is a message of QEMU's: to a command, or of an event.
type reply struct {
	Return json.RawMessage
	Error  *struct{ Desc string }
	Event  string
	Data   struct{ Status string }
}

// newMonitor greets QEMU, and lets it leave memory that is a file where it is
// when it saves or restores a guest.
func newMonitor(socket *os.File) (*monitor, error) {
	m := &monitor{socket: socket, decoder: json.NewDecoder(socket)}
	if err := m.execute("qmp_capabilities", nil); err != nil {
		return nil, err
	}
	type capability struct {
		Name  string `json:"capability"`
		State bool   `json:"state"`
	}
	return m, m.execute("migrate-set-capabilities", map[string]any{
		"capabilities": []capability{{"x-ignore-shared", true}, {"events", true}},
	})
}

// execute gives a command and waits for its return.
func (m *monitor) execute(command string, arguments any) error {
	message := map[string]any{"execute": command}
	if arguments != nil {
		message["arguments"] = arguments
	}
	if err := json.NewEncoder(m.socket).Encode(message); err != nil {
		return fmt.Errorf("telling QEMU to %s: %w", command, err)
	}
	for {
		r, err := m.read()
		switch {
		case err != nil:
			return fmt.Errorf("telling QEMU to %s: %w", command, err)
		case r.Error != nil:
			return fmt.Errorf("telling QEMU to %s: %s", command, r.Error.Desc)
		case r.Return != nil:
			return nil
		}
	}
}

// read reads a message and notes what it says of saving or restoring.
func (m *monitor) read() (reply, error) {
	var r reply
	err := m.decoder.Decode(&r)
	if r.Event == "MIGRATION" {
		m.migration = r.Data.Status
	}
	return r, err
}

// migrate saves or restores the guest, and waits until that is done.
func (m *monitor) migrate(command, uri string) error {
	m.migration = ""
	if err := m.execute(command, map[string]string{"uri": uri}); err != nil {
		return err
	}
	for !slices.Contains([]string{"completed", "failed", "cancelled"}, m.migration) {
		if _, err := m.read(); err != nil {
			return fmt.Errorf("waiting for QEMU to %s: %w", command, err)
		}
	}
	if m.migration != "completed" {
		return fmt.Errorf("waiting for QEMU to %s: it %s", command, m.migration)
	}
	return nil
}
