package api

// Status is a process's.
type Status int32

// The statuses.
const (
	Unknown Status = iota
	Created
	Running
	Stopped
	Paused
	Pausing
)

// LogLevel is how much a shim is to log.
type LogLevel int32

// The levels that make a difference here.
const (
	LogInfo  LogLevel = 0
	LogDebug LogLevel = -4
)

// The names of messages that travel in an Any.
const (
	OptionsName           = "containerd.runc.v1.Options"
	CheckpointOptionsName = "containerd.runc.v1.CheckpointOptions"
	ProcessDetailsName    = "containerd.runc.v1.ProcessDetails"
	MetricsV1Name         = "io.containerd.cgroups.v1.Metrics"
	MetricsV2Name         = "io.containerd.cgroups.v2.Metrics"
	GenericOptionsName    = "runtimeoptions.v1.Options"

	SpecName      = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
	ProcessName   = "types.containerd.io/opencontainers/runtime-spec/1/Process"
	ResourcesName = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
	FeaturesName  = "types.containerd.io/opencontainers/runtime-spec/1/features/Features"
)
