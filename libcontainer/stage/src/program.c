/* The program: hooks, the home directory, the search, the execution. */
#include <elf.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

static char program[PATH_MAX];
static char home[PATH_MAX] = "HOME=/";

/* default_signals takes back what the caller ignores and blocks, which would
 * outlive execve: no program expects it. It asks the kernel itself, since the C
 * library leaves out the signals that are its own. */
void default_signals(void)
{
	static const uint64_t nothing[4]; /* SIG_DFL, and the empty set */
	for (int s = 1; s <= 64; s++)
		sys(rt_sigaction, s, nothing, NULL, sizeof nothing[0]);
	sys(rt_sigprocmask, SIG_SETMASK, nothing, NULL, sizeof nothing[0]);
}

static void end(int signal_number) { _exit(128 + signal_number); }

/* The first process of a pid namespace gets no signal that it does not
 * handle; what ends any other program is to end a created container too. */
int op_await_start(const struct step *s)
{
	signal(SIGHUP, end);
	signal(SIGINT, end);
	signal(SIGTERM, end);
	return await_start(file_fd(num(s, 0)));
}

/* with_home puts what was looked up in the place that the plan left for it. */
static char **with_home(char **env)
{
	for (char **e = env; *e; e++)
		if (!strcmp(*e, "HOME="))
			*e = home;
	return env;
}

/* --- hooks ------------------------------------------------------------- */

static void run_hook(const struct step *s, int in, int out)
{
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	do_close_range(3, 0);
	execve(str(s, 0), list(s, 1), with_home(list(s, 2)));
	const char *why = strerror(errno);
	write(2, why, strlen(why));
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct iovec span(const char *text) { return (struct iovec){ (void *)text, strlen(text) }; }

/* feed writes what the pipe takes of the state, and closes it at the state's
 * end, or where the hook does not read it. It gives the descriptor or -1. */
static int feed(int in, struct iovec state[3])
{
	ssize_t n = writev(in, state, 3);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return in;
	int done = n < 0;
	for (int i = 0; i < 3 && !done; i++) {
		size_t used = (size_t)n < state[i].iov_len ? (size_t)n : state[i].iov_len;
		state[i] = (struct iovec){ (char *)state[i].iov_base + used, state[i].iov_len - used };
		n -= used;
	}
	if (!done && state[0].iov_len + state[1].iov_len + state[2].iov_len)
		return in;
	close(in);
	return -1;
}

/* keep notes some of what the hook prints, and tells whether there was any. */
static int keep(int out)
{
	char text[1024];
	ssize_t size = read(out, text, sizeof text);
	if (size > 0)
		note_bytes(text, size);
	return size > 0;
}

/* attend gives the hook its state and keeps what it prints until it ends,
 * which its pidfd tells: not its pipes, which its children may hold. It gives
 * 1 at the end, 0 where that is too late. */
static int attend(int pidfd, int in, int out, struct iovec state[3], int64_t timeout_ms)
{
	struct pollfd events[3] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 }, { in, POLLOUT, 0 } };
	int64_t end = timeout_ms ? now_ms() + timeout_ms : INT64_MAX;
	for (;;) {
		int64_t left = end - now_ms();
		if (left <= 0)
			return 0;
		if (poll(events, 3, left < INT_MAX ? left : INT_MAX) < 0 && errno != EINTR)
			return -1;
		if (events[2].revents)
			events[2].fd = feed(in, state);
		if (events[1].revents && !keep(out))
			events[1].fd = -1;
		if (events[0].revents) {
			for (int i = 0; i < NOTE_SIZE / 1024 && keep(out); i++)
				;
			return 1;
		}
	}
}

static int hook_result(pid_t pid, int ended)
{
	int status, error = errno;
	char number[24];
	if (ended != 1)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended < 0)
		return note(error, "\nwaiting for it");
	if (ended == 0)
		return note(ETIMEDOUT, "\nkilled by its timeout");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return note_clear();
	note(ECHILD, WIFEXITED(status) ? "\nexit status " : "\nsignal ");
	return note(ECHILD, decimal(WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), number));
}

int op_hook(const struct step *s)
{
	int in[2], out[2];
	char number[24];
	struct iovec state[3] = { span(str(s, 3)), span(decimal(getpid(), number)), span(str(s, 4)) };
	int64_t timeout = num(s, 5) < INT_MAX ? num(s, 5) : INT_MAX;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	if (fcntl(in[1], F_SETFL, O_NONBLOCK) || fcntl(out[0], F_SETFL, O_NONBLOCK))
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		run_hook(s, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	int pidfd = sys(pidfd_open, pid, 0);
	int ended = pidfd < 0 ? -1 : attend(pidfd, in[1], out[0], state, 1000 * timeout);
	signal(SIGPIPE, old);
	return closing(pidfd, closing(out[0], hook_result(pid, ended)));
}

/* --- home -------------------------------------------------------------- */

/* passwd_home copies the sixth field of a line whose third is the uid. */
static int passwd_home(char *line, const char *uid)
{
	char *field[6];
	for (int i = 0; i < 6; i++) {
		field[i] = line;
		line = strchr(line, ':');
		if (!line)
			return 0;
		*line++ = 0;
	}
	if (strcmp(field[2], uid) || !*field[5] || strlen(field[5]) > sizeof home - 6)
		return 0;
	strcpy(home + 5, field[5]);
	return 1;
}

/* op_home reads the container's passwd: a regular file, a bounded part of it. */
int op_home(const struct step *s)
{
	enum { MAX_READS = 2560 };
	char buf[4097], number[24];
	const char *uid = decimal(num(s, 0), number);
	struct stat st;
	size_t used = 0;
	int skip = 0; /* the rest of a line that is too long to be an entry */
	ssize_t n;
	int fd = in_root("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return fd < 0 ? 0 : close(fd);
	for (int i = 0; i < MAX_READS && (n = read(fd, buf + used, sizeof buf - 1 - used)) > 0; i++) {
		char *line = buf, *end;
		used += n;
		buf[used] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (!skip && passwd_home(line, uid))
				return close(fd);
			skip = 0;
			line = end + 1;
		}
		used = strlen(line);
		memmove(buf, line, used);
		if (used == sizeof buf - 1) {
			skip = 1;
			used = 0;
		}
	}
	buf[used] = 0;
	if (!skip)
		passwd_home(buf, uid);
	return close(fd);
}

/* --- the program ------------------------------------------------------- */

static int usable(const char *path)
{
	struct stat st;
	if (stat(path, &st))
		return -1;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	int denied = sys(faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);
	if (denied && (errno == ENOSYS || errno == EPERM)) /* a container host refuses it; the ids are the same */
		denied = sys(faccessat, AT_FDCWD, path, X_OK);
	if (denied || !(st.st_mode & 0111)) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

/* op_find searches as execvp(3) does. What is found but cannot be run counts
 * only where nothing better comes. */
int op_find(const struct step *s)
{
	const char *name = str(s, 0), *path = str(s, 1);
	int denied = 0;
	size_t size = strlen(name);
	if (size >= sizeof program)
		return note(ENAMETOOLONG, "");
	if (strchr(name, '/')) {
		strcpy(program, name);
		return usable(program);
	}
	while (*path && size) {
		size_t dir = strcspn(path, ":");
		if (dir + 1 + size < sizeof program) {
			memcpy(program, dir ? path : ".", dir ? dir : 1);
			size_t used = dir ? dir : 1;
			program[used] = '/';
			strcpy(program + used + 1, name);
			if (usable(program) == 0)
				return 0;
			denied |= errno == EACCES;
		}
		path += dir + (path[dir] == ':');
	}
	errno = denied ? EACCES : ENOENT;
	return denied ? -1 : note(ENOENT, "$PATH");
}

/* explain says what the program needs to be run: its interpreter. */
static void explain(void)
{
	_Alignas(Elf64_Ehdr) char head[4096];
	int error = errno, fd = open(program, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head - 1, 0);
	head[n > 0 ? n : 0] = 0;
	if (n > 2 && head[0] == '#' && head[1] == '!') {
		note_bytes("script ", 7);
		note_bytes(head + 2, strcspn(head + 2, "\n"));
	} else if (n > (ssize_t)sizeof(Elf64_Ehdr) && !memcmp(head, ELFMAG, SELFMAG)) {
		Elf64_Ehdr *elf = (Elf64_Ehdr *)head;
		for (int i = 0; i < elf->e_phnum && i < 64; i++) {
			Elf64_Phdr p;
			if (pread(fd, &p, sizeof p, elf->e_phoff + i * sizeof p) != sizeof p || p.p_type != PT_INTERP)
				continue;
			ssize_t size = pread(fd, head, sizeof head - 1, p.p_offset);
			head[size > 0 ? size : 0] = 0;
			note_bytes("interpreter ", 12);
			note_bytes(head, strlen(head));
			break;
		}
	}
	errno = error;
	closing(fd, 0);
}

int op_close_files(const struct step *s)
{
	return do_close_range(num(s, 0), CLOSE_RANGE_CLOEXEC);
}

/* Nothing may come before execve here: a filter may forbid it. */
int op_exec(const struct step *s)
{
	execve(program, list(s, 0), with_home(list(s, 1)));
	explain();
	return -1;
}
