/* Decoding the plan: every offset is checked once, before any step runs.
 * The format is described in plan/wire.go. */
#include <sys/mman.h>

#include "stage.h"

enum { MAGIC = 0x54495644, MAX_STEPS = 1 << 20 };

struct header {
	uint32_t magic, steps, values, size;
};

static unsigned char *base;
static const struct header *head;
static const struct step *steps;
static const uint64_t *values;
static size_t fixed; /* where the blob begins */
static int files;    /* the first of the plan's files */

#define SIGNATURE(name, signature) signature,
static const char *const signatures[] = { OPERATIONS(SIGNATURE) };
enum { OP_COUNT = sizeof signatures / sizeof *signatures };

static uint64_t offset_of(uint64_t v) { return v & 0xffffffff; }
static uint64_t length_of(uint64_t v) { return v >> 32; }

static int string_ok(uint64_t at, uint64_t length)
{
	return at < head->size && length < head->size - at && base[at + length] == 0;
}

/* A list's offsets become pointers, in place: never in the tables, which have
 * been checked. */
static int list_ok(uint64_t at, uint64_t count)
{
	if (at % 8 || at < fixed || at >= head->size || count >= (head->size - at) / 8)
		return 0;
	uint64_t *entry = (uint64_t *)(base + at);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t s = entry[i];
		if (s >= head->size || !memchr(base + s, 0, head->size - s))
			return 0;
		entry[i] = (uint64_t)(uintptr_t)(base + s);
	}
	return entry[count] == 0;
}

static int value_ok(char kind, uint64_t v)
{
	uint64_t at = offset_of(v), length = length_of(v);
	switch (kind) {
	case 's':
		return string_ok(at, length);
	case 'l':
		return list_ok(at, length);
	case 'b':
		return at % 8 == 0 && at <= head->size && length <= head->size - at;
	default:
		return 1;
	}
}

static int step_ok(const struct step *s)
{
	if (s->op >= OP_COUNT || strlen(signatures[s->op]) != s->values)
		return 0;
	if (s->first > head->values || s->values > head->values - s->first)
		return 0;
	for (int i = 0; i < s->values; i++)
		if (!value_ok(signatures[s->op][i], values[s->first + i]))
			return 0;
	return 1;
}

/* Each step's values follow those of the step before, so that no list is
 * made into pointers twice. */
int wire_decode(void *plan, size_t size)
{
	base = plan;
	head = plan;
	errno = EBADMSG;
	if (size < sizeof *head || head->magic != MAGIC || head->size != size)
		return -1;
	if (head->steps > MAX_STEPS || head->values > 8 * head->steps)
		return -1;
	fixed = sizeof *head + head->steps * sizeof *steps + head->values * sizeof *values;
	if (fixed > size)
		return -1;
	steps = (const struct step *)(head + 1);
	values = (const uint64_t *)(steps + head->steps);
	uint32_t next = 0;
	for (uint32_t i = 0; i < head->steps; i++) {
		if (steps[i].first != next || !step_ok(&steps[i]))
			return -1;
		next += steps[i].values;
	}
	return 0;
}

/* wire_load reads the plan from its memfd. */
int wire_load(int fd)
{
	struct stat st;
	if (fstat(fd, &st))
		return -1;
	void *plan = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (plan == MAP_FAILED)
		return -1;
	files = fd + 1;
	return wire_decode(plan, st.st_size);
}

/* file_fd is the descriptor of one of the plan's files. */
int file_fd(int64_t index) { return files + (int)index; }

uint32_t wire_steps(void) { return head->steps; }
const struct step *wire_step(uint32_t i) { return &steps[i]; }

int64_t num(const struct step *s, int i) { return (int64_t)values[s->first + i]; }

const char *str(const struct step *s, int i)
{
	return (const char *)base + offset_of(values[s->first + i]);
}

const void *bytes(const struct step *s, int i, size_t *size)
{
	*size = length_of(values[s->first + i]);
	return base + offset_of(values[s->first + i]);
}

char **list(const struct step *s, int i)
{
	return (char **)(base + offset_of(values[s->first + i]));
}
