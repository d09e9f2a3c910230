#include "shell/net_commands.h"

#include "drivers/netdev.h"
#include "drivers/netdev_driver.h"
#include "lib/printf.h"

static void show_counts(struct answer *a, const struct netdev *dev)
{
	const struct netdev_stats *s = &dev->stats;

	answer_line(a, "        received {} frames, {} bytes, dropped {}");
	answer_number(a, "rx_frames", s->rx_frames);
	answer_number(a, "rx_bytes", s->rx_bytes);
	answer_number(a, "rx_dropped", s->rx_dropped);
	answer_line(a, "        sent {} frames, {} bytes, no room {} times");
	answer_number(a, "tx_frames", s->tx_frames);
	answer_number(a, "tx_bytes", s->tx_bytes);
	answer_number(a, "tx_full", s->tx_full);
	answer_line(a, "        kicks {}, interrupts {}, broken {}, wakes the "
		       "host: {}");
	answer_number(a, "kicks", s->kicks);
	answer_number(a, "interrupts", s->interrupts);
	answer_number(a, "broken", s->broken);
	answer_flag(a, "wakes", dev->wakes);
}

static void show(struct answer *a, struct netdev *dev)
{
	char mac[20];

	dev->ops->look(dev);
	snprintf(mac, sizeof(mac), MAC_FORMAT, MAC_WORDS(dev->mac));
	answer_text(a, "name", dev->name);
	answer_text(a, "driver", dev->driver);
	answer_text(a, "where", dev->where);
	answer_text(a, "mac", mac);
	answer_text(a, "role",
		    dev->role == NETDEV_MIGRATION ? "migration" : "lan");
	answer_text(a, "link", dev->dead ? "dead" : dev->link ? "up" : "down");
	answer_number(a, "frame", dev->frame_max);
	answer_number(a, "rx", dev->rx_ring);
	answer_number(a, "tx", dev->tx_ring);
	answer_number(a, "buffers", dev->rx_buffers);
	show_counts(a, dev);
}

static void run_net_list(struct answer *a, struct vm *vm, const char *argument)
{
	if (!netdev_count)
		answer_say(a,
			   "no network device: neither virtio-net nor e1000\n");
	answer_list(a, "devices",
		    "{-7} {-10} {-7} {-17} {-9} {-4} {5}  {4} {4} {7}");
	for (unsigned i = 0; i < netdev_count; i++) {
		answer_row(a);
		show(a, netdevs[i]);
	}
	answer_end(a);
}

const struct command net_commands[] = {
	{"net list", "", "the host's network devices", TAKES_WORD,
	 run_net_list},
	{"net switch", "", "its ports, whom it heard where", TAKES_WORD,
	 run_net_switch},
	{"net bench", "WHAT,KEY=VALUE", "blast, ping or sink frames",
	 TAKES_WORD, run_net_bench},
	{NULL},
};
