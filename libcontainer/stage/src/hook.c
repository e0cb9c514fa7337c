/* Hooks: each is given the state, heard, and waited for. */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

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
