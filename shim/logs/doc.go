// Package logs keeps what a container writes to its standard output and error,
// and reads it back.
//
// A [Writer] takes what was read of the container's pipes or terminal and
// writes it as records, a line each, in one of three forms:
//
//   - [JSONFile]: a JSON object a line, as Docker's json-file driver writes it.
//     JSON cannot hold bytes that are not UTF-8. A line with such bytes has them
//     replaced in "log", which is what Docker does and what collectors read,
//     and has the line once more, exact, as base64 in "raw".
//   - [CRI]: "TIME STREAM F|P TEXT", as the kubelet and podman read it.
//   - [Journald]: a message of systemd's journal, over its native protocol.
//
// What was written comes back byte for byte: a line's newline belongs to the
// record, and is not made up for a last line that has none. A line of more than
// 16 KiB becomes several records, of which only the last has the newline.
//
// A log file is cut into several of a bounded size, of which the oldest go:
// FILE, FILE.1, FILE.2 and so on, the highest number being the oldest. Each
// exists whole at every moment, so that a writer that is killed loses no more
// than the bytes it had not handed to the kernel. Half a record at the end of a
// file is invisible to readers, and is cut off by the next [Open].
//
// A Writer belongs to one goroutine, starts none, and allocates nothing a line.
// [Read] and [Copy] are for other processes: they need nothing but the files,
// and follow them by inotify, also across rotation. [ReadJournal] and
// [CopyJournal] are the same of the journal, through journalctl.
//
// The package is not for the records of davit's own programs, nor for deciding
// which containers there are.
package logs
