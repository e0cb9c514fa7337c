/* What a failure tells: errno, and a note beside it. */
#include "stage.h"

static char noted[NOTE_SIZE];

/* note keeps a text for the failure that follows, and sets errno. */
int note(int error, const char *text)
{
	note_bytes(text, strlen(text));
	errno = error;
	return -1;
}

void note_bytes(const char *text, size_t size)
{
	size_t used = strlen(noted);
	if (size > sizeof noted - 1 - used)
		size = sizeof noted - 1 - used;
	memcpy(noted + used, text, size);
	noted[used + size] = 0;
}

int note_clear(void)
{
	noted[0] = 0;
	return 0;
}

/* noted_text is what the notes say. */
const char *noted_text(void) { return noted; }

const char *decimal(int64_t n, char buf[24])
{
	char *p = buf + 23;
	uint64_t u = n < 0 ? -(uint64_t)n : (uint64_t)n;
	*p = 0;
	do
		*--p = '0' + u % 10;
	while (u /= 10);
	if (n < 0)
		*--p = '-';
	return p;
}

/* closing closes without changing errno, and passes the result on. */
int closing(int fd, int result)
{
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return result;
}
