/* The program: hooks, the home directory, the search, the execution. */
#include <elf.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

static char program[PATH_MAX];
static char home[PATH_MAX] = "HOME=/";

int op_await_start(const struct step *s) { return await_start(file_fd(num(s, 0))); }

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
	sys(close_range, 3U, ~0U, 0);
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

static void write_all(int fd, const char *text)
{
	size_t size = strlen(text);
	while (size) {
		ssize_t n = write(fd, text, size);
		if (n <= 0)
			return;
		text += n;
		size -= n;
	}
}

/* collect waits for the hook's end, which its pidfd tells, and keeps what it
 * prints meanwhile. */
static int collect(int pidfd, int out, int64_t timeout_ms)
{
	struct pollfd events[2] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 } };
	int64_t end = now_ms() + timeout_ms;
	char text[1024];
	for (;;) {
		int64_t left = timeout_ms ? end - now_ms() : -1;
		int n = timeout_ms && left <= 0 ? 0 : poll(events, 2, (int)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		if (events[1].revents) {
			ssize_t size = read(out, text, sizeof text);
			if (size > 0)
				note_bytes(text, size);
			else
				events[1].fd = -1;
		} else if (events[0].revents) {
			return 1;
		}
	}
}

static int hook_result(pid_t pid, int ended)
{
	int status;
	char number[24];
	if (ended != 1)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended == 1 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return note_clear();
	if (ended != 1)
		return note(ETIMEDOUT, "\nkilled by its timeout");
	note_bytes(WIFEXITED(status) ? "\nexit status " : "\nsignal ", WIFEXITED(status) ? 13 : 8);
	return note(ECHILD, decimal(WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), number));
}

int op_hook(const struct step *s)
{
	int in[2], out[2];
	char number[24];
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		run_hook(s, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	signal(SIGPIPE, SIG_IGN);
	write_all(in[1], str(s, 3));
	write_all(in[1], decimal(getpid(), number));
	write_all(in[1], str(s, 4));
	close(in[1]);
	signal(SIGPIPE, SIG_DFL);
	int pidfd = sys(pidfd_open, pid, 0);
	int ended = pidfd < 0 ? -1 : collect(pidfd, out[0], 1000 * num(s, 5));
	close(pidfd);
	close(out[0]);
	return hook_result(pid, ended);
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
			if (passwd_home(line, uid))
				return close(fd);
			line = end + 1;
		}
		used = strlen(line) < sizeof buf - 1 ? strlen(line) : 0; /* an endless line is no entry */
		memmove(buf, line, used);
	}
	buf[used] = 0;
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
	if (sys(faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) || !(st.st_mode & 0111)) {
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
	char head[4096];
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
	close(fd);
	errno = error;
}

int op_close_files(const struct step *s)
{
	return sys(close_range, (unsigned)num(s, 0), ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Nothing may come before execve here: a filter may forbid it. */
int op_exec(const struct step *s)
{
	execve(program, list(s, 0), with_home(list(s, 1)));
	explain();
	return -1;
}
