/*
 * A network module for Bochs: a cable that leads back to its own card. Each
 * frame is received the moment it is sent, so nothing outside the emulated
 * machine has a part in it and a run repeats to the instruction; Bochs 2.7's
 * e1000 has no loopback of its own. Chosen by `ethmod=loop`; Bochs finds it in
 * the folders of LTDL_LIBRARY_PATH.
 *
 * Bochs seeds the processor's random numbers (RDRAND) by the time of day when
 * it makes a CPU. Cards are made after that: then they begin anew, from
 * GODWIT_SEED.
 *
 * Bochs is C++ and has no headers to install. What it expects of a module are
 * two objects, and those are laid out by hand here, as the C++ ABI of this
 * processor has it (Itanium C++ ABI, 2.5): an object begins with a pointer to
 * its class's virtual functions, in the order of their declaration; a
 * destructor is two.
 */
#include <stddef.h>
#include <stdlib.h>

#define TYPE_NET   0x400
#define MODE_FINI  0
#define MODE_INIT  1
#define MODE_PROBE 2
#define RX_READY   1u

typedef void any_function(void);

/* The card's: takes a frame; its state. */
typedef void receive_function(void *card, const void *frame, unsigned size);
typedef unsigned state_function(void *card);

/* eth_pktmover_c: what a card gives its frames to. */
struct mover {
	any_function *const *functions; /* sendpkt, destructors */
	void *card;
	receive_function *receive;
	state_function *state;
};

/* eth_locator_c: an entry in Bochs's list of modules. */
struct locator {
	any_function *const *functions; /* destructors, allocate */
	struct locator *next;
	const char *name;
};

void base_begin(struct locator *l,
		const char *name) __asm__("_ZN13eth_locator_cC2EPKc");
void base_end(struct locator *l) __asm__("_ZN13eth_locator_cD2Ev");

static struct mover mover;
static struct locator locator;

static void send(struct mover *m, void *frame, unsigned size)
{
	if (m->state(m->card) & RX_READY)
		m->receive(m->card, frame, size);
}

/* Both objects are ours for as long as the module is loaded. */
static void leave(void)
{
}

static any_function *const mover_functions[] = {
	(any_function *)send,
	leave,
	leave,
};

static struct mover *make(struct locator *l, const char *device,
			  const char *mac, receive_function *receive,
			  state_function *state, void *card, const char *script)
{
	const char *seed = getenv("GODWIT_SEED");

	srand(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
	mover = (struct mover){mover_functions, card, receive, state};
	return &mover;
}

static any_function *const locator_functions[] = {
	leave,
	leave,
	(any_function *)make,
};

int libeth_loop_plugin_entry(void *plugin, unsigned short type,
			     unsigned char mode);

int libeth_loop_plugin_entry(void *plugin, unsigned short type,
			     unsigned char mode)
{
	switch (mode) {
	case MODE_PROBE:
		return TYPE_NET;
	case MODE_INIT:
		base_begin(&locator, "loop");
		locator.functions = locator_functions;
		return 0;
	case MODE_FINI:
		base_end(&locator);
		return 0;
	default:
		return 0;
	}
}
