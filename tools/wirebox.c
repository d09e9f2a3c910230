/*
 * A cable between two emulated network cards that can be made worse: slower,
 * longer, lossy, or cut. Each end is an AF_UNIX socket that QEMU's
 * `-netdev stream` connects to; frames follow their lengths, four bytes, the
 * highest first.
 *
 *	wirebox A-SOCKET B-SOCKET [SETTING...]
 *
 * Settings are words, on the command line and on standard input, as many a line
 * as one likes; each line is answered by `ok`, or `wrong: WORD`:
 *
 *	rate=N       bytes per second each way, like 200M; 0: no limit
 *	delay_us=N   how long each frame is under way
 *	loss=P       0.01: of a hundred frames one is lost
 *	seed=N       of that chance
 *	cut=0|1|ab|ba  both ways are whole, or cut, or one of them
 *	after=N      the cut comes when N frames have passed from A to B
 *	stats        {"ab":{"frames":..,"bytes":..,"lost":..},"ba":{..}}
 *
 * Nothing is lost but what is said: who sends faster than the cable takes is
 * held up. What is under way when the cable is cut still arrives. An end that
 * goes away may come again. Standard input's end is the box's end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define SECOND	   1000000000ull
#define FRAME_MAX  69632u /* QEMU's own */
#define HEAD	   4u
#define IN_SIZE	   (256u << 10)
#define QUEUE_SIZE (64u << 20)
#define FRAMES	   65536u /* under way, each direction */
/* What waits for its turn on the cable: more would be a switch's memory. */
#define BACKLOG 2000000u /* ns */

/* From one end to the other. */
struct way {
	unsigned char in[IN_SIZE]; /* read, not yet a whole frame */
	size_t in_size;
	unsigned char *queue; /* whole frames, under way */
	size_t begin, end;
	struct {
		u64 due;
		u32 left;
	} frame[FRAMES]; /* a ring */
	u32 first, count;
	u64 free_at; /* when the cable has taken what it was given */
	bool cut;
	u64 frames, bytes, lost;
};

struct end {
	const char *path;
	int listener, link; /* -1: nobody */
};

static struct way ways[2]; /* from A, from B */
static struct end ends[2];
static u64 rate, delay, loss, after, chance = 1;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

/* Marsaglia's xorshift64: one of 2^32. */
static u32 dice(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (u32)(chance >> 32);
}

/* --- frames */

static void make_room(struct way *way, size_t size)
{
	if (way->end + size <= QUEUE_SIZE)
		return;
	memmove(way->queue, way->queue + way->begin, way->end - way->begin);
	way->end -= way->begin;
	way->begin = 0;
}

static bool is_lost(struct way *way)
{
	bool lost = way->cut || (loss && dice() < loss);

	if (way == &ways[0] && after && --after == 0)
		ways[0].cut = ways[1].cut = true;
	return lost;
}

static void put_frame(struct way *way, const unsigned char *at, u32 size,
		      u64 now)
{
	u32 slot = (way->first + way->count) % FRAMES;

	if (is_lost(way)) {
		way->lost++;
		return;
	}
	way->frames++;
	way->bytes += size - HEAD;
	if (way->free_at < now)
		way->free_at = now;
	if (rate)
		way->free_at += size * SECOND / rate;
	make_room(way, size);
	memcpy(way->queue + way->end, at, size);
	way->end += size;
	way->frame[slot].due = way->free_at + delay;
	way->frame[slot].left = size;
	way->count++;
}

/* May more be read? */
static bool has_room(const struct way *way, u64 now)
{
	return way->free_at <= now + BACKLOG &&
	       way->count + IN_SIZE / (HEAD + 14) < FRAMES &&
	       way->end - way->begin + IN_SIZE + FRAME_MAX < QUEUE_SIZE;
}

static u32 frame_size(const unsigned char *at)
{
	return ((u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3]) +
	       HEAD;
}

static void take_frames(struct way *way, u64 now)
{
	size_t at = 0;

	while (way->in_size - at >= HEAD) {
		u32 size = frame_size(way->in + at);

		if (size > FRAME_MAX + HEAD) {
			fprintf(stderr, "wirebox: a frame of %u bytes\n", size);
			exit(1);
		}
		if (way->in_size - at < size)
			break;
		put_frame(way, way->in + at, size, now);
		at += size;
	}
	memmove(way->in, way->in + at, way->in_size - at);
	way->in_size -= at;
}

/* --- the ends */

static void hang_up(unsigned side)
{
	struct way *to = &ways[1 - side];

	close(ends[side].link);
	ends[side].link = -1;
	ways[side].in_size = 0;
	to->begin = to->end = 0;
	to->first = to->count = 0;
}

static void listen_at(struct end *end, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(name.sun_path)) {
		fprintf(stderr, "wirebox: %s is too long\n", path);
		exit(1);
	}
	strcpy(name.sun_path, path);
	end->path = path;
	end->link = -1;
	end->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	if (end->listener < 0 ||
	    bind(end->listener, (struct sockaddr *)&name, sizeof(name)) ||
	    listen(end->listener, 1))
		die(path);
}

static void answer_call(struct end *end)
{
	int room = 1 << 20;

	end->link = accept4(end->listener, NULL, NULL,
			    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (end->link >= 0)
		setsockopt(end->link, SOL_SOCKET, SO_SNDBUF, &room,
			   sizeof(room));
}

static void read_end(unsigned side, u64 now)
{
	struct way *way = &ways[side];
	ssize_t n = recv(ends[side].link, way->in + way->in_size,
			 IN_SIZE - way->in_size, 0);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			hang_up(side);
		return;
	}
	way->in_size += (size_t)n;
	take_frames(way, now);
}

/* Bytes of frames that are due. */
static size_t due_bytes(const struct way *way, u64 now)
{
	size_t size = 0;

	for (u32 i = 0; i < way->count; i++) {
		u32 slot = (way->first + i) % FRAMES;

		if (way->frame[slot].due > now || size > IN_SIZE)
			break;
		size += way->frame[slot].left;
	}
	return size;
}

static void was_sent(struct way *way, size_t n)
{
	way->begin += n;
	while (n) {
		u32 *left = &way->frame[way->first].left;
		u32 part = n < *left ? (u32)n : *left;

		*left -= part;
		n -= part;
		if (*left)
			break;
		way->first = (way->first + 1) % FRAMES;
		way->count--;
	}
	if (!way->count)
		way->begin = way->end = 0;
}

/* True: the end takes no more just now. */
static bool write_end(unsigned side, u64 now)
{
	struct way *way = &ways[1 - side];
	size_t size;

	if (ends[side].link < 0) {
		way->lost += way->count;
		way->begin = way->end = 0;
		way->first = way->count = 0;
		return false;
	}
	while ((size = due_bytes(way, now))) {
		ssize_t n = send(ends[side].link, way->queue + way->begin, size,
				 MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0) {
			hang_up(side);
			return false;
		}
		was_sent(way, (size_t)n);
	}
	return false;
}

/* --- settings */

static u64 number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*end == 'k')
		value *= 1e3;
	else if (*end == 'M')
		value *= 1e6;
	else if (*end == 'G')
		value *= 1e9;
	return value < 0 ? 0 : (u64)value;
}

static void set_cut(const char *how)
{
	ways[0].cut = !strcmp(how, "1") || !strcmp(how, "ab");
	ways[1].cut = !strcmp(how, "1") || !strcmp(how, "ba");
}

static void print_stats(void)
{
	static const char *const names[] = {"ab", "ba"};

	for (unsigned i = 0; i < 2; i++)
		printf("%s\"%s\":{\"frames\":%llu,\"bytes\":%llu,\"lost\":%"
		       "llu}",
		       i ? "," : "{", names[i],
		       (unsigned long long)ways[i].frames,
		       (unsigned long long)ways[i].bytes,
		       (unsigned long long)ways[i].lost);
	printf("}\n");
}

static bool set(const char *word)
{
	const char *value = strchr(word, '=');
	size_t n = value ? (size_t)(value++ - word) : strlen(word);
	char name[16] = "";

	if (n >= sizeof(name))
		return false;
	memcpy(name, word, n);
	if (!strcmp(word, "stats"))
		print_stats();
	else if (!value)
		return false;
	else if (!strcmp(name, "rate"))
		rate = number(value);
	else if (!strcmp(name, "delay_us"))
		delay = number(value) * 1000;
	else if (!strcmp(name, "loss"))
		loss = (u64)(strtod(value, NULL) * 4294967296.0);
	else if (!strcmp(name, "seed"))
		chance = number(value) * 0x9e3779b97f4a7c15ull | 1;
	else if (!strcmp(name, "cut"))
		set_cut(value);
	else if (!strcmp(name, "after"))
		after = number(value);
	else
		return false;
	return true;
}

static void obey(char *line)
{
	const char *wrong = NULL;
	char *rest = line, *word;

	while ((word = strsep(&rest, " \t")))
		if (*word && !set(word))
			wrong = word;
	if (wrong)
		printf("wrong: %s\n", wrong);
	else
		printf("ok\n");
	fflush(stdout);
}

static void read_commands(void)
{
	static char text[1024];
	static size_t size;
	ssize_t n = read(STDIN_FILENO, text + size, sizeof(text) - size);
	char *newline;

	if (n <= 0)
		exit(0);
	size += (size_t)n;
	while ((newline = memchr(text, '\n', size))) {
		size_t used = (size_t)(newline - text) + 1;

		*newline = '\0';
		obey(text);
		memmove(text, text + used, size - used);
		size -= used;
	}
	if (size == sizeof(text))
		size = 0;
}

/* --- the loop */

static u64 next_event(u64 now, u64 until)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct way *way = &ways[i];
		u64 due = way->count ? way->frame[way->first].due : UINT64_MAX;

		if (due > now && due < until)
			until = due;
		if (way->free_at > now + BACKLOG &&
		    way->free_at - BACKLOG < until)
			until = way->free_at - BACKLOG;
	}
	return until;
}

static struct pollfd watched(unsigned side, bool full, u64 now)
{
	struct pollfd fd = {ends[side].link, 0, 0};

	if (fd.fd < 0) {
		fd.fd = ends[side].listener;
		fd.events = POLLIN;
		return fd;
	}
	if (has_room(&ways[side], now))
		fd.events |= POLLIN;
	if (full)
		fd.events |= POLLOUT;
	return fd;
}

static void turn(void)
{
	u64 now = now_ns(), until;
	bool full[2] = {write_end(0, now), write_end(1, now)};
	struct pollfd fds[3];
	struct timespec wait;

	for (unsigned side = 0; side < 2; side++)
		fds[side] = watched(side, full[side], now);
	fds[2] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
	until = next_event(now, now + SECOND) - now;
	wait = (struct timespec){(time_t)(until / SECOND),
				 (long)(until % SECOND)};
	if (ppoll(fds, 3, &wait, NULL) < 0 && errno != EINTR)
		die("poll");
	if (fds[2].revents)
		read_commands();
	now = now_ns();
	for (unsigned side = 0; side < 2; side++) {
		if (!fds[side].revents)
			continue;
		if (ends[side].link < 0)
			answer_call(&ends[side]);
		else if (fds[side].revents & (POLLIN | POLLHUP | POLLERR))
			read_end(side, now);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr,
			"usage: wirebox A-SOCKET B-SOCKET [SETTING...]\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	for (unsigned side = 0; side < 2; side++) {
		ways[side].queue = malloc(QUEUE_SIZE);
		if (!ways[side].queue)
			die("wirebox");
		listen_at(&ends[side], argv[1 + side]);
	}
	for (int i = 3; i < argc; i++) {
		if (!set(argv[i])) {
			fprintf(stderr, "wirebox: wrong: %s\n", argv[i]);
			return 2;
		}
	}
	printf("ready\n");
	fflush(stdout);
	for (;;)
		turn();
}
