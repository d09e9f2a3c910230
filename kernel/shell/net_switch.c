#include "shell/net_commands.h"

#include "cpu/time.h"
#include "drivers/netdev_driver.h"
#include "lib/printf.h"
#include "net/switch.h"

static void show_port(struct answer *a, const struct net_port *port)
{
	const struct net_port_stats *s = &port->stats;

	answer_text(a, "port", port->name);
	answer_number(a, "frames_in", s->in_frames);
	answer_number(a, "bytes_in", s->in_bytes);
	answer_number(a, "frames_out", s->out_frames);
	answer_number(a, "bytes_out", s->out_bytes);
	answer_number(a, "dropped", s->dropped);
	answer_line(a, "                 refused {}, filtered {}, too many to "
		       "everybody {}, addresses moved here {}");
	answer_number(a, "refused", s->refused);
	answer_number(a, "filtered", s->filtered);
	answer_number(a, "storm", s->storm);
	answer_number(a, "moves", s->moves);
}

static void show_addresses(struct answer *a)
{
	struct switch_address found;
	unsigned at = 0;
	char mac[20];

	answer_list(a, "addresses", "{-16} {-17}  {}");
	while (switch_address(&at, &found)) {
		snprintf(mac, sizeof(mac), MAC_FORMAT, MAC_WORDS(found.mac));
		answer_row(a);
		answer_text(a, "port", found.port->name);
		answer_text(a, "address", mac);
		answer_number(a, "seconds_ago", found.age_ns / NS_PER_S);
	}
	answer_end(a);
}

void run_net_switch(struct answer *a, struct vm *vm, const char *argument)
{
	const struct net_port *port;

	answer_list(a, "ports", "{-16} {10} {12} {10} {12} {8}");
	for (unsigned i = 0; (port = switch_port(i)); i++) {
		answer_row(a);
		show_port(a, port);
	}
	answer_end(a);
	show_addresses(a);
}
