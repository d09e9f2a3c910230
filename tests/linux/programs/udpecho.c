/*
 * udpecho PORT: every datagram goes back where it came from. What waits here
 * has room, so that whatever is lost was lost on the way.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int link = socket(AF_INET, SOCK_DGRAM, 0);
	int room = 8 << 20;
	char data[2048];

	address.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "7"));
	setsockopt(link, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(link, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (bind(link, (struct sockaddr *)&address, sizeof(address))) {
		perror("udpecho");
		return 1;
	}
	for (;;) {
		socklen_t size = sizeof(address);
		ssize_t n = recvfrom(link, data, sizeof(data), 0,
				     (struct sockaddr *)&address, &size);

		if (n >= 0)
			sendto(link, data, (size_t)n, 0,
			       (struct sockaddr *)&address, size);
	}
}
