/* Making what is mounted below a mount read-only, one by one: for container
 * hosts that refuse the system call which does it at once. */
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "stage.h"

enum { MAX_MOUNTS = 512 };

/* The mounts of a tree, by their ids; the first is its top. */
static uint64_t ids[MAX_MOUNTS];
static size_t count;

static int has(uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return 1;
	return 0;
}

static int mount_id(int fd, uint64_t *id)
{
	struct statx st;
	if (sys(statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st))
		return -1;
	*id = st.stx_mnt_id;
	return 0;
}

/* proc's list of mounts, see proc_pid_mountinfo(5). */
struct source {
	int fd, error;
	size_t used, size;
	char buf[4096];
};

struct line {
	uint64_t id, parent;
	char place[MAX_PATH];
};

/* next is the next byte, or -1. */
static int next(struct source *s)
{
	if (s->used == s->size) {
		ssize_t size = read(s->fd, s->buf, sizeof s->buf);
		s->error = size < 0 ? errno : 0;
		s->used = s->size = 0;
		if (size <= 0)
			return -1;
		s->size = size;
	}
	return (unsigned char)s->buf[s->used++];
}

static uint64_t number(struct source *s)
{
	uint64_t n = 0;
	for (int c = next(s); c >= '0' && c <= '9'; c = next(s))
		n = n * 10 + c - '0';
	return n;
}

static void skip(struct source *s, int end)
{
	for (int c = next(s); c >= 0 && c != end;)
		c = next(s);
}

/* octal is the byte that stands behind a backslash. */
static int octal(struct source *s)
{
	int c = 0;
	for (int i = 0; i < 3; i++)
		c = c * 8 + (next(s) & 7);
	return c;
}

static int place(struct source *s, char *path)
{
	size_t size = 0;
	for (int c = next(s); c >= 0 && c != ' '; c = next(s)) {
		if (size + 1 == MAX_PATH)
			return path_too_long();
		path[size++] = c == '\\' ? octal(s) : c;
	}
	path[size] = 0;
	return 0;
}

/* read_line tells whether there was one. */
static int read_line(struct source *s, struct line *l)
{
	l->id = number(s);
	l->parent = number(s);
	skip(s, ' '); /* the device */
	skip(s, ' '); /* the root */
	if (place(s, l->place))
		return -1;
	skip(s, '\n');
	errno = s->error;
	return s->error ? -1 : l->id > 0;
}

static int each_mount(int (*visit)(const struct line *))
{
	struct source s = { .fd = openat(file_fd(0), "self/mountinfo", O_RDONLY | O_CLOEXEC) };
	struct line l;
	int more = s.fd < 0 ? -1 : 1;
	while (more > 0)
		if ((more = read_line(&s, &l)) > 0 && visit(&l))
			more = -1;
	return closing(s.fd, more);
}

static int collect(const struct line *l)
{
	if (!has(l->parent) || has(l->id))
		return 0;
	if (count == MAX_MOUNTS)
		return note(E2BIG, "too many mounts are below it");
	ids[count++] = l->id;
	return 0;
}

static int open_place(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : closing(root, do_openat2(root, path, &how));
}

/* restrict_mount changes what is seen at a mount's place: where that is
 * another mount of the tree, it covers this one. */
static int restrict_mount(const struct line *l)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	uint64_t id;
	if (!has(l->id) || l->id == ids[0])
		return 0;
	int fd = open_place(l->place);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1; /* covered too */
	if (mount_id(fd, &id))
		return closing(fd, -1);
	if (!has(id))
		return closing(fd, note(EBUSY, "what is mounted below it changes meanwhile"));
	return closing(fd, do_mount_setattr(fd, &attr, 0));
}

/* read_only_below leaves the mount that fd is the root of as it is. */
int read_only_below(int fd)
{
	if (mount_id(fd, &ids[0]))
		return -1;
	size_t before;
	count = 1;
	do {
		before = count;
		if (each_mount(collect))
			return -1;
	} while (count > before);
	return count > 1 ? each_mount(restrict_mount) : 0;
}
