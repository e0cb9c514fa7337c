package dockerfile

import (
	"github.com/davit-containers/davit/bundle/image"
)

// Plan is what is to be done.
type Plan struct {
	// Stages are those that are needed, in the order of the file: each needs only
	// those before it. The last is the target.
	Stages []*Stage
	// Warnings are for the person who wrote the file.
	Warnings []string
}

// Target is the stage whose image is wanted.
func (p *Plan) Target() *Stage { return p.Stages[len(p.Stages)-1] }

// Stage is what stands below one FROM.
type Stage struct {
	Name  string
	Base  Source // an image, a stage, or Scratch
	Steps []*Step
	// Config is the configuration of the stage's image, whose history and layers are
	// those of the base image, if it is one.
	Config *image.Config

	count int
}

// Count is how many of the steps change the root file system, the base image
// included: the last one's number.
func (s *Stage) Count() int { return s.count }

// Kind says what a Source is.
type Kind string

// The kinds.
const (
	Scratch   Kind = "scratch"
	FromImage Kind = "image"
	FromStage Kind = "stage"
	Context   Kind = "context"
)

// Source is a tree of files.
type Source struct {
	Kind     Kind   `json:"kind"`
	Image    string `json:"image,omitempty"`
	Platform string `json:"platform,omitempty"` // of the image: linux/amd64
	Stage    *Stage `json:"-"`
}

// Step is one instruction.
type Step struct {
	// Line is the instruction's in the file; 0 for one that the base image asked for.
	Line int
	// Text is the instruction with its variables replaced, in one line, and History
	// what the image's history says of it, which has no values of build arguments
	// but those that the instruction writes down itself.
	Text, History string
	// One of these is set where the instruction changes the root file system.
	Run     *Run
	Copy    *Copy
	Workdir *Workdir
	// Number is the step's place among those of its stage that change the root file
	// system, from 1 on; the base image counts too. 0 for others.
	Number int
}

// Changes tells whether a step changes the root file system, and so is a layer.
func (s *Step) Changes() bool { return s.Number > 0 }

// Run runs a program.
type Run struct {
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	User    string   `json:"user,omitempty"`
	Network string   `json:"network,omitempty"` // none, host, or "" for the build's
	Mounts  []Mount  `json:"mounts,omitempty"`
	// Script is a here-document that is a program of its own: a file that is to be
	// executed as ScriptPath.
	Script string `json:"script,omitempty"`
	// Proxies are variables of the environment that change nothing: no key depends
	// on them.
	Proxies []string `json:"-"`
}

// ScriptPath is where a Run has its Script.
const ScriptPath = "/dev/pipes/EOF"

// Mount is a mount of a Run.
type Mount struct {
	Type     string  `json:"type"` // bind, cache, tmpfs, secret
	From     *Source `json:"from,omitempty"`
	Source   string  `json:"source,omitempty"` // in From
	Target   string  `json:"target,omitempty"` // absolute
	ReadOnly bool    `json:"readOnly,omitempty"`
	Size     int64   `json:"size,omitempty"` // of a tmpfs, in bytes
	// ID is that of a cache or a secret, Env the variable that has the secret.
	ID       string  `json:"id,omitempty"`
	Env      string  `json:"env,omitempty"`
	Sharing  string  `json:"sharing,omitempty"` // of a cache: shared, private, locked
	Required bool    `json:"required,omitempty"`
	Mode     *uint32 `json:"mode,omitempty"`
	UID      *uint32 `json:"uid,omitempty"`
	GID      *uint32 `json:"gid,omitempty"`
}

// Copy copies files.
type Copy struct {
	From    Source   `json:"from"`
	Paths   []string `json:"paths,omitempty"` // in From; may have wildcards
	Inline  []Inline `json:"inline,omitempty"`
	Remote  *Remote  `json:"remote,omitempty"`
	Dest    string   `json:"dest"` // absolute; a directory where it ends in a slash
	Owner   string   `json:"owner,omitempty"`
	Mode    *uint32  `json:"mode,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// Extract unpacks archives; Parents keeps the directories above what is copied.
	Extract bool `json:"extract,omitempty"`
	Parents bool `json:"parents,omitempty"`
}

// Inline is a file whose content stands in the Dockerfile.
type Inline struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

// Remote is a file that is fetched.
type Remote struct {
	URL    string `json:"url"`
	Digest string `json:"digest"` // sha256:...
	Name   string `json:"name"`
}

// Workdir makes a directory unless it is there.
type Workdir struct {
	Path string `json:"path"`
	User string `json:"user,omitempty"` // whom it is to belong to
}
