/* The parent of a supervisor, which starts it again when it dies.
 *
 *   keeper [KEY] PROGRAM ARGUMENT...
 *
 * Descriptors: 3 is the socket on which the supervisor listens, 4 the file for
 * exits, 5 the program itself, for when its path is gone, and 6 what is kept by KEY
 * from the beginning; PROGRAM has a slash at its beginning. The supervisor finds
 * at 3 a SEQPACKET socket to here. Down, it hears:
 *
 *   have KEY     with a descriptor, each that is kept
 *   sleeps       this keeper knows sleep
 *   begin N      that was all; N supervisors were before this one
 *   woken N      the same, after a sleep
 *   exit PID STATUS SECONDS NANOSECONDS
 *
 * and says, up:
 *
 *   keep KEY     with a descriptor, in place of one that has the key
 *   drop KEY
 *   wake KEY     what has the key may end a sleep
 *   sleep N      its last word: it has heard of N exits, and nothing is to be done
 *
 * Meanwhile there is no supervisor, and no memory of one: the next is started when
 * there is something to read where that was asked for, or when an orphan ends.
 *
 * A supervisor that ends with status 0 has nothing left to supervise, and the
 * keeper ends too, as it does where one cannot live and has left nothing. Nothing here allocates, and nothing waits but poll(2). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/close_range.h>

enum { LISTENER = 3, EXITS, PROGRAM, FIRST, SLOTS = 4096, KEY = 56, RECORD = 64, PATIENCE_MS = 1000 };

static struct {
	char key[KEY];
	int fd, wakes;
} kept[SLOTS];
static int highest, own; /* own: of what was there from the beginning */

static char **command;
static struct rlimit files;
static sigset_t before;
static int children, talk = -1;
static pid_t supervisor;
static unsigned starts, exits, told; /* told: of exits, this supervisor */
static int asleep, woken;
static struct timespec started;

static void keep(const char *key, int fd)
{
	int at = -1;
	for (int i = highest - 1; i >= 0; i--) {
		if (!kept[i].key[0])
			at = i;
		else if (!strcmp(kept[i].key, key)) {
			close(kept[i].fd);
			at = i;
			break;
		}
	}
	if (at < 0 && highest < SLOTS)
		at = highest++;
	if (at < 0) {
		close(fd);
		return;
	}
	snprintf(kept[at].key, KEY, "%s", key);
	kept[at].fd = fd;
	kept[at].wakes = 0;
}

static void drop(const char *key)
{
	for (int i = 0; i < highest; i++)
		if (!strcmp(kept[i].key, key)) {
			close(kept[i].fd);
			kept[i].key[0] = 0;
		}
	while (highest && !kept[highest - 1].key[0])
		highest--;
}

static void wake(const char *key)
{
	for (int i = 0; i < highest; i++)
		if (!strcmp(kept[i].key, key))
			kept[i].wakes = 1;
}

/* rouse ends a sleep, if there is one. */
static void rouse(void)
{
	if (asleep)
		woken = 1;
	asleep = 0;
}

static int tell(const char *text, int fd, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof fd)];
	} control = { 0 };
	struct iovec data = { (char *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	return sendmsg(talk, &m, flags | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* hear takes one message; 0 when there is none, or no supervisor. */
static int hear(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[KEY + 8];
	struct iovec data = { text, sizeof text - 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(talk, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return 0;
	text[n] = 0;
	int fd = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (!strncmp(text, "keep ", 5) && fd >= 0)
		keep(text + 5, fd);
	else if (fd >= 0)
		close(fd);
	if (!strncmp(text, "drop ", 5))
		drop(text + 5);
	if (!strncmp(text, "wake ", 5))
		wake(text + 5);
	if (!strncmp(text, "sleep ", 6))
		*(strtoul(text + 6, NULL, 10) == told ? &asleep : &woken) = 1;
	return 1;
}

/* become is the child, until it is the supervisor. */
static void become(int socket)
{
	static const int reset[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	for (unsigned i = 0; i < sizeof reset / sizeof *reset; i++)
		signal(reset[i], SIG_DFL);
	setrlimit(RLIMIT_NOFILE, &files);
	sigprocmask(SIG_SETMASK, &before, NULL);
	int program = fcntl(PROGRAM, F_DUPFD_CLOEXEC, 10);
	dup2(socket, 3);
	syscall(SYS_close_range, 4, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(command[0], command);
	syscall(SYS_execveat, program, "", command, environ, 0x1000 /* AT_EMPTY_PATH */);
	_exit(126);
}

static void start(void)
{
	int pair[2];
	char text[KEY + 8];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return;
	talk = pair[0];
	clock_gettime(CLOCK_MONOTONIC, &started);
	supervisor = fork();
	if (!supervisor)
		become(pair[1]);
	close(pair[1]);
	starts++;
	if (supervisor < 0) {
		supervisor = 0;
		close(talk);
		talk = -1;
		return;
	}
	told = 0;
	tell("sleeps", -1, 0);
	for (int i = 0; i < highest; i++)
		if (kept[i].key[0]) {
			kept[i].wakes = 0;
			snprintf(text, sizeof text, "have %.*s", KEY, kept[i].key);
			tell(text, kept[i].fd, 0);
		}
	snprintf(text, sizeof text, "%s %u", woken ? "woken" : "begin", starts - 1);
	woken = 0;
	tell(text, -1, 0);
}

/* record writes down how an orphan ended, then tells. */
static void record(const siginfo_t *s)
{
	char line[RECORD + 1], text[RECORD + 8];
	struct timespec now;
	int status = s->si_code == CLD_EXITED ? s->si_status : 128 + s->si_status;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof text, "exit %d %d %lld %ld", s->si_pid, status, (long long)now.tv_sec, now.tv_nsec);
	snprintf(line, sizeof line, "%-63.63s\n", text + 5);
	if (pwrite(EXITS, line, RECORD, (off_t)(exits++ % SLOTS) * RECORD) < 0)
		return;
	told++;
	rouse();
	if (talk >= 0)
		tell(text, -1, MSG_DONTWAIT);
}

/* pause_ms is how long to wait before the next start, in milliseconds, so that one
 * that cannot live does not keep the machine busy. */
static int pause_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long lived = (now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000;
	return starts < 2 || lived >= PATIENCE_MS ? 0 : PATIENCE_MS - lived;
}

/* ended is after the end of a supervisor. What it said last counts. */
static void ended(const siginfo_t *s)
{
	while (talk >= 0 && hear())
		;
	close(talk);
	talk = -1;
	supervisor = 0;
	if (asleep || woken)
		return;
	if (s->si_code == CLD_EXITED && !s->si_status)
		_exit(0);
	if (highest <= own && pause_ms())
		_exit(1);
}

static void reap(void)
{
	struct signalfd_siginfo discarded;
	while (read(children, &discarded, sizeof discarded) > 0)
		;
	for (;;) {
		siginfo_t s = { 0 };
		if (waitid(P_ALL, 0, &s, WEXITED | WNOHANG) || !s.si_pid)
			return;
		if (s.si_pid == supervisor)
			ended(&s);
		else
			record(&s);
	}
}

static void prepare(const char *key)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	sigdelset(&before, SIGCHLD);
	children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "davit-keeper");
	getrlimit(RLIMIT_NOFILE, &files);
	struct rlimit all = { files.rlim_max, files.rlim_max };
	setrlimit(RLIMIT_NOFILE, &all);
	syscall(SYS_close_range, LISTENER, ~0U, CLOSE_RANGE_CLOEXEC);
	keep("listener", LISTENER);
	keep("exits", EXITS);
	if (key)
		keep(key, FIRST);
	own = highest;
}

/* await waits for children, for the supervisor's words, and in a sleep for what ends
 * that; for some milliseconds, or -1. */
static void await(int wait)
{
	static struct pollfd set[2 + SLOTS];
	int n = 2;
	set[0] = (struct pollfd){ children, POLLIN, 0 };
	set[1] = (struct pollfd){ talk, POLLIN, 0 };
	for (int i = 0; !supervisor && i < highest; i++)
		if (kept[i].key[0] && kept[i].wakes)
			set[n++] = (struct pollfd){ kept[i].fd, POLLIN, 0 };
	if (poll(set, n, wait) < 0)
		return;
	if (talk >= 0 && set[1].revents && !hear() && set[1].revents & POLLHUP) {
		close(talk);
		talk = -1;
	}
	if (set[0].revents)
		reap();
	while (n-- > 2)
		if (set[n].revents)
			rouse();
}

int main(int argc, char **argv)
{
	const char *key = argc > 2 && *argv[1] != '/' ? argv[1] : NULL;
	if (argc < 2)
		return 125;
	command = argv + (key ? 2 : 1);
	prepare(key);
	for (;;) {
		int wait = supervisor || asleep ? -1 : pause_ms();
		if (wait)
			await(wait);
		else
			start();
	}
}
