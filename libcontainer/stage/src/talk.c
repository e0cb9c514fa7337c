/* The conversation: one SEQPACKET socket, short messages in words. Up go
 * "sync NAME", "pid N", "ready", "warn TEXT", "accepted" and
 * "fail STEP ERRNO NOTE"; down comes "go", maybe with a descriptor. A closed
 * socket means stop. */
#include <sys/socket.h>

#include "stage.h"

int control_fd = -1;

union fd_message {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

/* tell sends "WORD TEXT" and, unless fd is -1, the descriptor. */
int tell(const char *word, const char *text, int fd)
{
	struct iovec parts[3] = {
		{ (void *)word, strlen(word) }, { " ", *text ? 1 : 0 }, { (void *)text, strlen(text) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	union fd_message control = { 0 };
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	}
	return sendmsg(control_fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* hear waits for the word; anything else, and the end, mean stop. */
int hear(const char *word, int *fd)
{
	char buf[16];
	struct iovec part = { buf, sizeof buf };
	union fd_message control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t size;
	do
		size = recvmsg(control_fd, &message, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size != (ssize_t)strlen(word) || memcmp(buf, word, size)) {
		errno = ECANCELED;
		return -1;
	}
	if (fd)
		*fd = -1;
	if (fd && message.msg_controllen >= CMSG_LEN(sizeof *fd) && control.head.cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(&control.head), sizeof *fd);
	return 0;
}

/* ask tells and waits for the answer. */
int ask(const char *word, const char *text, int fd, int *answer_fd)
{
	return tell(word, text, fd) || hear("go", answer_fd) ? -1 : 0;
}

/* await_start waits until someone connects and says "start"; from then on
 * the conversation is with that one. Whoever leaves without a word changes
 * nothing; whoever comes second is turned away at once. Meanwhile no descriptor but the listener is open: it may wait for
 * long. */
int await_start(int listener)
{
	listener = dup3(listener, control_fd, O_CLOEXEC);
	if (listener < 0 || do_close_range(listener + 1, 0))
		return -1;
	for (;;) {
		control_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (control_fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (control_fd < 0)
			return -1;
		if (hear("start", NULL) == 0 && tell("accepted", "", -1) == 0)
			return close(listener);
		close(control_fd);
	}
}

/* report_failure says which step failed, with errno and the note. */
void report_failure(uint32_t step)
{
	char text[TALK_SIZE], number[24];
	const char *words[] = { decimal(step, number), " ", NULL, " ", noted_text() };
	char code[24];
	words[2] = decimal(errno, code);
	size_t used = 0;
	for (int i = 0; i < 5; i++) {
		size_t size = strlen(words[i]);
		memcpy(text + used, words[i], size);
		used += size;
	}
	text[used] = 0;
	tell("fail", text, -1);
}

int op_sync(const struct step *s) { return ask("sync", str(s, 0), -1, NULL); }
int op_ready(const struct step *s) { (void)s; return ask("ready", "", -1, NULL); }
