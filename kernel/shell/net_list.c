#include "shell/net_commands.h"

#include "drivers/netdev.h"
#include "drivers/netdev_driver.h"
#include "lib/printf.h"

static void show(struct netdev *dev)
{
	const struct netdev_stats *s = &dev->stats;

	dev->ops->look(dev);
	printf("%-7s %-10s %-7s " MAC_FORMAT " %-4s %5u  %4u %4u %7u\n",
	       dev->name, dev->driver, dev->where, MAC_WORDS(dev->mac),
	       dev->dead   ? "dead"
	       : dev->link ? "up"
			   : "down",
	       dev->frame_max, dev->rx_ring, dev->tx_ring, dev->rx_buffers);
	printf("        received %lu frames, %lu bytes, dropped %lu\n",
	       s->rx_frames, s->rx_bytes, s->rx_dropped);
	printf("        sent %lu frames, %lu bytes, no room %lu times\n",
	       s->tx_frames, s->tx_bytes, s->tx_full);
	printf("        kicks %lu, interrupts %lu%s, broken %lu\n", s->kicks,
	       s->interrupts, dev->wakes ? "" : " (none: by the clock)",
	       s->broken);
}

void run_net_list(struct vm *vm, const char *argument)
{
	if (!netdev_count) {
		printf("no network device: neither virtio-net nor e1000\n");
		return;
	}
	printf("%-7s %-10s %-7s %-17s %-4s %5s  %4s %4s %7s\n", "NAME",
	       "DRIVER", "WHERE", "MAC", "LINK", "FRAME", "RX", "TX",
	       "BUFFERS");
	for (unsigned i = 0; i < netdev_count; i++)
		show(netdevs[i]);
}
