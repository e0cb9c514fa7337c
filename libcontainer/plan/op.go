package plan

// Op is one operation of the stage. Its number is part of the wire format
// between one build of davit and the stage inside it; it has no life beyond.
type Op uint16

// The operations, in the order in which stage/ops.h has them.
const (
	OpWithout Op = iota
	OpSync
	OpEnter
	OpClock
	OpDumpable
	OpSetns
	OpUnshare
	OpBecome
	OpFork
	OpWriteProc
	OpLeaveProc
	OpOwnProc
	OpPropagate
	OpRoot
	OpNewFS
	OpMountFS
	OpOpenTree
	OpTakeTree
	OpMapTree
	OpSetAttr
	OpCopyUp
	OpAttach
	OpUnmount
	OpSetAttrAt
	OpReconfigure
	OpLabel
	OpDevice
	OpLink
	OpMkdir
	OpHook
	OpPivot
	OpMoveRoot
	OpChroot
	OpReopenNull
	OpLoopback
	OpHostname
	OpDomainname
	OpKeyring
	OpSession
	OpConsole
	OpEmpty
	OpMask
	OpReadonly
	OpRlimit
	OpRaiseRlimit
	OpScheduler
	OpIOPriority
	OpAffinity
	OpPersonality
	OpMemoryPolicy
	OpNoNewPrivs
	OpSeccomp
	OpBounding
	OpOwnStdio
	OpGroups
	OpUser
	OpUmask
	OpCapabilities
	OpChdir
	OpHome
	OpFind
	OpReady
	OpAwaitStart
	OpCloseFiles
	OpExec
	opCount
)

// Kinds of arguments, one letter each in a definition's signature.
const (
	kindInt   = 'i' // a decimal number
	kindHex   = 'x' // a set of flags
	kindOct   = 'o' // a file mode
	kindFD    = 'f' // a descriptor: an index into Plan.Files
	kindStr   = 's' // a string without NUL
	kindList  = 'l' // strings without NUL
	kindBytes = 'b' // bytes
)

// Values of the root operation's mount argument; mount.c has the same.
const (
	rootOpen     = 0 // there is nothing to mount
	rootMount    = 1
	rootIsolated = 2 // the mount that holds it is made private first
	rootOnHost   = 3 // made private itself: the mounts below it are in the runtime's mount namespace
)

// Values of the seccomp operation's notify argument; rights.c has the same.
const (
	ListenerNone  = 0 // the filter notifies of nothing
	ListenerSent  = 1 // its listener comes with the sync
	ListenerTaken = 2 // the sync has its number, by which the parent takes it
)

// definition gives an operation its name, the kinds of its arguments and
// their names, in order.
type definition struct {
	name      string
	signature string
	args      [8]string
}

// definitions is the one table from which the wire form, the text, the JSON
// and the stage's header are made.
var definitions = [opCount]definition{
	OpWithout:      {"without", "l", [8]string{"calls"}},
	OpSync:         {"sync", "s", [8]string{"name"}},
	OpEnter:        {"enter-cgroup", "si", [8]string{"tasks", "optional"}},
	OpClock:        {"clock", "f", [8]string{"file"}},
	OpDumpable:     {"dumpable", "i", [8]string{"value"}},
	OpSetns:        {"setns", "fx", [8]string{"namespace", "type"}},
	OpUnshare:      {"unshare", "x", [8]string{"flags"}},
	OpBecome:       {"become", "ii", [8]string{"uid", "gid"}},
	OpFork:         {"fork", "x", [8]string{"flags"}},
	OpWriteProc:    {"write-proc", "ss", [8]string{"path", "value"}},
	OpLeaveProc:    {"leave-proc", "", [8]string{}},
	OpOwnProc:      {"own-proc", "", [8]string{}},
	OpPropagate:    {"propagate", "sx", [8]string{"path", "flags"}},
	OpRoot:         {"root", "si", [8]string{"path", "mount"}},
	OpNewFS:        {"new-fs", "sslxs", [8]string{"type", "source", "options", "attributes", "inherit_mode"}},
	OpMountFS:      {"mount-fs", "ssxsx", [8]string{"type", "source", "flags", "data", "attributes"}},
	OpOpenTree:     {"open-tree", "sx", [8]string{"source", "flags"}},
	OpTakeTree:     {"take-tree", "s", [8]string{"name"}},
	OpMapTree:      {"map-tree", "fx", [8]string{"userns", "flags"}},
	OpSetAttr:      {"set-attributes", "xxxxx", [8]string{"set", "clear", "reset", "propagation", "flags"}},
	OpCopyUp:       {"copy-up", "s", [8]string{"dest"}},
	OpAttach:       {"attach", "sx", [8]string{"dest", "flags"}},
	OpUnmount:      {"unmount", "s", [8]string{"dest"}},
	OpSetAttrAt:    {"set-attributes-at", "sxxxx", [8]string{"dest", "set", "clear", "propagation", "flags"}},
	OpReconfigure:  {"reconfigure", "sl", [8]string{"dest", "options"}},
	OpLabel:        {"label", "ss", [8]string{"dest", "label"}},
	OpDevice:       {"device", "soiiii", [8]string{"path", "mode", "major", "minor", "uid", "gid"}},
	OpLink:         {"link", "ssi", [8]string{"target", "path", "replace"}},
	OpMkdir:        {"mkdir", "s", [8]string{"path"}},
	OpHook:         {"hook", "sllssi", [8]string{"path", "args", "env", "state", "state_end", "timeout"}},
	OpPivot:        {"pivot", "", [8]string{}},
	OpMoveRoot:     {"move-root", "l", [8]string{"hide"}},
	OpChroot:       {"chroot", "", [8]string{}},
	OpReopenNull:   {"reopen-null", "", [8]string{}},
	OpLoopback:     {"loopback", "", [8]string{}},
	OpHostname:     {"hostname", "s", [8]string{"name"}},
	OpDomainname:   {"domainname", "s", [8]string{"name"}},
	OpKeyring:      {"keyring", "sx", [8]string{"name", "permissions"}},
	OpSession:      {"session", "", [8]string{}},
	OpConsole:      {"console", "iii", [8]string{"rows", "columns", "mount"}},
	OpEmpty:        {"empty", "l", [8]string{"options"}},
	OpMask:         {"mask", "s", [8]string{"path"}},
	OpReadonly:     {"read-only", "s", [8]string{"path"}},
	OpRlimit:       {"rlimit", "iii", [8]string{"resource", "soft", "hard"}},
	OpRaiseRlimit:  {"raise-rlimit", "ii", [8]string{"resource", "hard"}},
	OpScheduler:    {"scheduler", "ixiiiii", [8]string{"policy", "flags", "nice", "priority", "runtime", "deadline", "period"}},
	OpIOPriority:   {"io-priority", "x", [8]string{"value"}},
	OpAffinity:     {"affinity", "b", [8]string{"mask"}},
	OpPersonality:  {"personality", "x", [8]string{"domain"}},
	OpMemoryPolicy: {"memory-policy", "xbi", [8]string{"mode", "nodes", "max_node"}},
	OpNoNewPrivs:   {"no-new-privileges", "", [8]string{}},
	OpSeccomp:      {"seccomp", "bxi", [8]string{"filter", "flags", "notify"}},
	OpBounding:     {"bounding-set", "x", [8]string{"keep"}},
	OpOwnStdio:     {"own-stdio", "i", [8]string{"uid"}},
	OpGroups:       {"groups", "b", [8]string{"gids"}},
	OpUser:         {"user", "ii", [8]string{"uid", "gid"}},
	OpUmask:        {"umask", "o", [8]string{"mask"}},
	OpCapabilities: {"capabilities", "xxxx", [8]string{"effective", "permitted", "inheritable", "ambient"}},
	OpChdir:        {"chdir", "si", [8]string{"path", "final"}},
	OpHome:         {"home", "i", [8]string{"uid"}},
	OpFind:         {"find", "ss", [8]string{"program", "path"}},
	OpReady:        {"ready", "", [8]string{}},
	OpAwaitStart:   {"await-start", "f", [8]string{"socket"}},
	OpCloseFiles:   {"close-files", "i", [8]string{"first"}},
	OpExec:         {"exec", "ll", [8]string{"args", "env"}},
}

// String is the operation's name.
func (o Op) String() string {
	if o >= opCount {
		return "unknown"
	}
	return definitions[o].name
}

// Values of the attach operation's flags; stage.c has the same.
const (
	AttachPlain    = 1 << iota // the destination must be a plain directory, no symbolic link
	AttachOnProc               // the destination may lie inside a proc file system
	AttachOnlyProc             // what is mounted must be a proc file system
)

// The set-attributes operations' flags; stage.c has the same.
const (
	AttrRecursive = 1 << iota
)
