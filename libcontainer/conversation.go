package libcontainer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/object"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// maxMessage is what one message of a stage holds at most, in bytes.
const maxMessage = 16 << 10

// conversation is this end of the talk with a stage. Up come "sync NAME",
// "pid N", "ready", "accepted", "warn TEXT" and "fail STEP ERRNO NOTE"; the
// end of file says that the program runs. Down goes "go", maybe with a
// descriptor; closing says stop.
type conversation struct {
	control  *os.File
	describe func(step int) (stepWords, bool)
	warn     func(string)
	heard    bool // anything at all
}

// stepWords are a step's words for an error message.
type stepWords struct {
	Op    string `json:"op"`
	Doing string `json:"doing"`
}

func (s stepWords) encode() []byte {
	w := object.NewWriter()
	w.Text("op", s.Op)
	w.Text("doing", s.Doing)
	return w.Close()
}

// describeIn finds steps in a plan.
func describeIn(p *plan.Plan) func(int) (stepWords, bool) {
	return func(i int) (stepWords, bool) {
		if i < 0 || i >= len(p.Steps) {
			return stepWords{}, false
		}
		return stepWords{p.Steps[i].Op.String(), p.Steps[i].Doing}, true
	}
}

// message is one that was received. No word means end of file.
type message struct {
	word, text string
	files      []*os.File
}

func (m *message) close() { sys.CloseAll(m.files) }

// hear receives the next message that is not a warning. A failed step is an error.
func (c *conversation) hear() (message, error) {
	buf := make([]byte, maxMessage)
	for {
		n, files, err := sys.Recv(c.control, buf)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			return message{}, nil
		}
		if err != nil {
			return message{}, fmt.Errorf("hearing from the stage: %w", err)
		}
		c.heard = true
		word, text, _ := strings.Cut(string(buf[:n]), " ")
		m := message{word, text, files}
		switch word {
		case "warn":
			m.close()
			if c.warn != nil {
				c.warn(oneLine(text))
			}
		case "fail":
			m.close()
			return message{}, c.stepError(text)
		default:
			return m, nil
		}
	}
}

// expect receives one message and refuses any but the one that the plan has next.
func (c *conversation) expect(word, text string) (message, error) {
	m, err := c.hear()
	if err != nil {
		return m, err
	}
	if m.word == "" {
		return m, errStageDied
	}
	if m.word != word || text != "" && m.text != text {
		m.close()
		return m, fmt.Errorf("talking to the stage: it said %q where the plan has %q", m.word+" "+m.text, word+" "+text)
	}
	return m, nil
}

var (
	// errStageDied says that a stage ended without a word: it was killed.
	errStageDied = errors.New("the stage died")
	// errKilledAtBirth says that it was killed before it said anything.
	errKilledAtBirth = errors.New("the stage was killed when it was created in its cgroup")
)

// proceed answers.
func (c *conversation) proceed(fds ...int) error {
	if err := sys.Send(c.control, []byte("go"), fds...); err != nil {
		return fmt.Errorf("answering the stage: %w", err)
	}
	return nil
}

// stepError takes apart "STEP ERRNO NOTE".
func (c *conversation) stepError(text string) error {
	fields := strings.SplitN(text, " ", 3)
	if len(fields) < 3 {
		return fmt.Errorf("talking to the stage: it failed with %q", text)
	}
	step, _ := strconv.Atoi(fields[0])
	errno, err := strconv.Atoi(fields[1])
	words, ok := c.describe(step)
	if !ok || err != nil || errno <= 0 {
		return fmt.Errorf("talking to the stage: it failed with %q", text)
	}
	return &StepError{step, words.Op, words.Doing, unix.Errno(errno), fields[2]}
}

// awaitExec hears whether the program was executed.
func (c *conversation) awaitExec() error {
	m, err := c.hear()
	if err != nil || m.word == "" {
		return err
	}
	m.close()
	return fmt.Errorf("talking to the stage: it said %q where its end was expected", m.word)
}
