/* Copying what a tmpfs is about to cover into it. */
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>

#include "stage.h"

enum { MAX_DEPTH = 64 };

/* finish closes both, and is the end of every copy. */
static int finish(int failed, int from, int to)
{
	return closing(from, closing(to, failed ? -1 : 0));
}

struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[];
};

static int copy_dir(int from, int to, int depth);

static int copy_data(int from, int to)
{
	ssize_t n;
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	return n < 0 ? -1 : 0;
}

static int copy_owner(int fd, const struct stat *st)
{
	return fchown(fd, st->st_uid, st->st_gid) || fchmod(fd, st->st_mode & 07777) ? -1 : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int failed = in < 0 || out < 0 || copy_data(in, out) || copy_owner(out, st);
	return finish(failed, in, out);
}

static int copy_tree(int from, int to, const char *name, const struct stat *st, int depth)
{
	if (depth > MAX_DEPTH)
		return note(ELOOP, "directories are nested too deeply to copy");
	if (mkdirat(to, name, 0700))
		return -1;
	int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int failed = in < 0 || out < 0 || copy_dir(in, out, depth) || copy_owner(out, st);
	return finish(failed, in, out);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[4096];
	ssize_t size = readlinkat(from, name, target, sizeof target - 1);
	if (size < 0)
		return -1;
	target[size] = 0;
	return symlinkat(target, to, name) || fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) ? -1 : 0;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (S_ISDIR(st.st_mode))
		return copy_tree(from, to, name, &st, depth + 1);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	return mknodat(to, name, st.st_mode, st.st_rdev) && errno != EPERM ? -1 : 0;
}

static int copy_dir(int from, int to, int depth)
{
	char buf[2048] __attribute__((aligned(8)));
	long n;
	while ((n = sys(getdents64, from, buf, sizeof buf)) > 0)
		for (long at = 0; at < n; at += ((struct entry *)(buf + at))->size)
			if (copy_entry(from, to, ((struct entry *)(buf + at))->name, depth))
				return -1;
	return n < 0 ? -1 : 0;
}

int op_copy_up(const struct step *s)
{
	int from = in_root(str(s, 0), O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return errno == ENOENT ? 0 : -1;
	int to = openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return finish(to < 0 || copy_dir(from, to, 0), from, to);
}
