/*
 * A learning Ethernet switch between VMs and the outside: frames go where their
 * destination was last heard from, else everywhere. A port is anything that
 * takes a frame: a VM's network device, a NIC of the host. Service CPU only.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "drivers/netdev.h"
#include "lib/types.h"

struct net_port_stats {
	u64 in_frames, in_bytes;   /* from the port into the switch */
	u64 out_frames, out_bytes; /* to the port */
	u64 dropped;		   /* the port had no room */
	/* Of the frames that came in: */
	u64 refused;  /* no Ethernet frame, or from a group address */
	u64 filtered; /* for the side it came from, or for no one beyond it */
	u64 storm;    /* to everybody, and too many of that kind */
	u64 moves;    /* from an address that was another port's */
};

struct net_port {
	const char *name; /* the VM's, or the NIC's */
	/*
	 * Takes a frame; its pieces are valid during the call only. False: no
	 * room, it is lost.
	 */
	bool (*deliver)(struct net_port *port, const struct net_piece *piece,
			unsigned count, u32 size);
	/* After a batch: tell the device, interrupt the guest. May be NULL. */
	void (*flush)(struct net_port *port);
	/* Whether so many frames will find room. NULL: always. */
	bool (*ready)(struct net_port *port, unsigned frames);
	/*
	 * While set, it takes what is for the port, and the port's place when
	 * the port is removed: see away.h.
	 */
	struct net_port *stand_in;
	/* A stand-in's: what is for this address never goes to everybody. */
	const u8 *address;
	bool directed; /* is not given what goes to everybody */
	struct net_port_stats stats;
	bool pending_flush;
	/* The switch's own: how many frames may still go to everybody. */
	u64 flood_tokens, flood_time;
};

#define SWITCH_PORTS 72 /* VMS_MAX and the NICs */

/*
 * One switch for the host. Remove forgets what was learned about the port, or
 * has its stand-in inherit that.
 */
err_t switch_add(struct net_port *port);
void switch_remove(struct net_port *port);

/* A frame from a port; not shorter than an Ethernet header, or it is lost. */
void switch_input(struct net_port *from, const struct net_piece *piece,
		  unsigned count, u32 size);

/* A frame for this port alone, past its stand-in. False: it has no room. */
bool switch_give(struct net_port *to, const struct net_piece *piece,
		 unsigned count, u32 size);

/* Where the address was last heard, or NULL. */
const struct net_port *switch_where(const u8 *mac);

/* At the end of a batch: flushes all ports that were given something. */
void switch_flush(void);

/*
 * Whether all ports but this one are ready for so many. A device whose frames
 * can wait (they are still in the guest's ring) lets them, rather than have
 * them lost.
 */
bool switch_ready(const struct net_port *from, unsigned frames);

/* For the operator: what is plugged in, and which addresses were heard. */
struct switch_address {
	u8 mac[6];
	const struct net_port *port;
	u64 age_ns;
};

const struct net_port *switch_port(unsigned i); /* NULL: no more */
bool switch_address(unsigned *at, struct switch_address *found);

#endif
