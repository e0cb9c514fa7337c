/* The program: the search, the execution, and why it cannot be executed. */
#include <elf.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>

#include "stage.h"

static char program[PATH_MAX];

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
