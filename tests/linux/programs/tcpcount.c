/*
 * tcpcount PORT: sends each connection's bytes back, and looks whether they are
 * the ones that must come: byte N is the top byte of N times a constant, as in
 * tools/rig/traffic.py. A line at the end of each connection.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char expected(uint64_t n)
{
	return (unsigned char)((uint32_t)n * 0x9e3779b1u >> 24);
}

static int send_all(int link, const char *data, ssize_t size)
{
	while (size > 0) {
		ssize_t n = write(link, data, (size_t)size);

		if (n < 0)
			return -1;
		data += n;
		size -= n;
	}
	return 0;
}

static void serve(int link)
{
	static char data[65536];
	uint64_t count = 0;
	ssize_t n;

	while ((n = read(link, data, sizeof(data))) > 0) {
		for (ssize_t i = 0; i < n; i++, count++) {
			if ((unsigned char)data[i] == expected(count))
				continue;
			printf("FAIL linux.tcpcount: byte %llu is %02x, not "
			       "%02x\n",
			       (unsigned long long)count,
			       (unsigned char)data[i], expected(count));
			return;
		}
		if (send_all(link, data, n))
			break;
	}
	if (n)
		printf("FAIL linux.tcpcount: broken after %llu bytes\n",
		       (unsigned long long)count);
	else
		printf("tcpcount: ok, %llu bytes\n", (unsigned long long)count);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	address.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "5"));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 8)) {
		perror("tcpcount");
		return 1;
	}
	for (;;) {
		int link = accept(listener, NULL, NULL);

		if (link >= 0 && fork() == 0) {
			serve(link);
			fflush(stdout);
			_exit(0);
		}
		close(link);
	}
}
