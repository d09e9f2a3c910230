#include "shell/net_commands.h"

#include "cpu/time.h"
#include "drivers/netdev_driver.h"
#include "lib/printf.h"
#include "net/switch.h"

static void show_port(const struct net_port *port)
{
	const struct net_port_stats *s = &port->stats;

	printf("%-16s %10lu %12lu %10lu %12lu %8lu\n", port->name, s->in_frames,
	       s->in_bytes, s->out_frames, s->out_bytes, s->dropped);
	if (s->refused || s->filtered || s->storm || s->moves)
		printf("%16s refused %lu, filtered %lu, too many to everybody "
		       "%lu, addresses moved here %lu\n",
		       "", s->refused, s->filtered, s->storm, s->moves);
}

void run_net_switch(struct vm *vm, const char *argument)
{
	struct switch_address found;
	const struct net_port *port;
	unsigned at = 0;

	printf("%-16s %10s %12s %10s %12s %8s\n", "PORT", "FRAMES IN", "BYTES",
	       "FRAMES OUT", "BYTES", "DROPPED");
	for (unsigned i = 0; (port = switch_port(i)); i++)
		show_port(port);
	printf("%-16s %-17s  %s\n", "PORT", "ADDRESS", "SECONDS AGO");
	while (switch_address(&at, &found))
		printf("%-16s " MAC_FORMAT "  %lu\n", found.port->name,
		       MAC_WORDS(found.mac), found.age_ns / NS_PER_S);
}
