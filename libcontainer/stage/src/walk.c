/* A path resolved by hand, name by name. */
#include "stage.h"

enum { MAX_LINKS = 40 };

int path_too_long(void) { errno = ENAMETOOLONG; return -1; }

int path_next(struct walk *w, char name[256])
{
	char *from = w->rest + strspn(w->rest, "/");
	size_t size = strcspn(from, "/");
	if (size > 255)
		return path_too_long();
	memcpy(name, from, size);
	name[size] = 0;
	memmove(w->rest, from + size, strlen(from + size) + 1);
	return size > 0;
}

int path_descend(struct walk *w, const char *name)
{
	size_t used = strlen(w->done), size = strlen(name);
	if (used + 1 + size >= MAX_PATH)
		return path_too_long();
	w->done[used] = '/';
	memcpy(w->done + used + 1, name, size + 1);
	return 0;
}

int path_ascend(struct walk *w)
{
	char *slash = strrchr(w->done, '/');
	if (slash)
		*slash = 0;
	return 0;
}

/* follow puts a link's target before the rest. */
int path_follow(struct walk *w, int link)
{
	char target[MAX_PATH];
	ssize_t size = readlinkat(link, "", target, sizeof target);
	if (size < 0)
		return -1;
	size_t rest = strlen(w->rest);
	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	if (size + 1 + rest >= MAX_PATH)
		return path_too_long();
	memmove(w->rest + size + 1, w->rest, rest + 1);
	memcpy(w->rest, target, size);
	w->rest[size] = '/';
	if (target[0] == '/')
		w->done[0] = 0;
	return 0;
}
