package state

import (
	"time"

	"github.com/davit-containers/davit/libcontainer/internal/object"
)

// format is the version of the file's format. In format 1 the fields stand in
// the order below, and config is the last: whoever reads may stop there.
const format = 1

// encode writes the state as JSON by hand, because the first use of
// encoding/json in a process costs a quarter of a container's start. Strings
// keep their bytes, UTF-8 or not, as paths must. The parts are to be written
// one after the other: the configuration, the bulk of it, is not copied.
func encode(s *State) [][]byte {
	w := object.NewWriter()
	w.Number("format", format)
	w.Text("ociVersion", s.OCIVersion)
	w.Text("id", s.ID)
	w.Text("phase", string(s.Phase))
	w.Number("pid", uint64(s.Pid))
	w.Number("pidStart", s.PidStart)
	w.Text("bundle", s.Bundle)
	w.Text("rootfs", s.Rootfs)
	w.Text("created", s.Created.UTC().Format(time.RFC3339Nano))
	w.Number("owner", uint64(s.Owner))
	w.Texts("annotations", s.Annotations)
	w.Number("creatorPid", uint64(s.CreatorPid))
	w.Number("creatorStart", s.CreatorStart)
	if s.HostMount != 0 {
		w.Number("hostMount", s.HostMount)
	}
	w.Flag("noNewKeyring", s.NoNewKeyring)
	w.Flag("timeNamespace", s.TimeNamespace)
	w.Raw("descriptors", s.Descriptors)
	w.Raw("cgroup", s.Cgroup)
	w.Raw("intelRdt", s.IntelRdt)
	w.Raw("startSteps", s.StartSteps)
	w.Raw("updated", s.Updated)
	if len(s.Config) > 0 {
		w.Key("config")
	}
	return [][]byte{w.Open(), s.Config, []byte("}\n")}
}
