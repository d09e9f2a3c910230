#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wirebox.h"

static struct {
	int listener, link; /* -1: nobody */
} ends[2];

void end_listen(unsigned side, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(name.sun_path)) {
		fprintf(stderr, "wirebox: %s is too long\n", path);
		exit(1);
	}
	strcpy(name.sun_path, path);
	unlink(path);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&name, sizeof(name)) ||
	    listen(listener, 1)) {
		perror(path);
		exit(1);
	}
	ends[side].listener = listener;
	ends[side].link = -1;
}

static void hang_up(unsigned side)
{
	close(ends[side].link);
	ends[side].link = -1;
	ways[side].in_size = 0;
	way_clear(&ways[1 - side]);
}

static void answer_call(unsigned side)
{
	int room = 1 << 20, link = accept4(ends[side].listener, NULL, NULL,
					   SOCK_NONBLOCK | SOCK_CLOEXEC);

	ends[side].link = link;
	if (link >= 0)
		setsockopt(link, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
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
	way_take(side, now);
}

bool end_write(unsigned side, u64 now)
{
	unsigned from = 1 - side;
	struct way *way = &ways[from];
	size_t size;

	if (ends[side].link < 0) {
		way_lose(way);
		return false;
	}
	while ((size = way_due(way, now))) {
		ssize_t n = send(ends[side].link, way_bytes(way), size,
				 MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0) {
			hang_up(side);
			return false;
		}
		way_sent(from, (size_t)n);
	}
	return false;
}

struct pollfd end_watched(unsigned side, bool full, u64 now)
{
	struct pollfd fd = {ends[side].link, 0, 0};

	if (fd.fd < 0) {
		fd.fd = ends[side].listener;
		fd.events = POLLIN;
		return fd;
	}
	if (way_has_room(&ways[side], now))
		fd.events |= POLLIN;
	if (full)
		fd.events |= POLLOUT;
	return fd;
}

void end_event(unsigned side, short events, u64 now)
{
	if (!events)
		return;
	if (ends[side].link < 0)
		answer_call(side);
	else if (events & (POLLIN | POLLHUP | POLLERR))
		read_end(side, now);
}
