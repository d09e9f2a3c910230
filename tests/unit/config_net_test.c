/*
 * The configuration's sections for NICs and for migration.
 *
 *	links: kernel/shell/config.c kernel/shell/config_keys.c
 *	links: kernel/shell/config_words.c kernel/lib/string.c
 *	links: kernel/migration/options.c
 */
#include "tests/unit/parse_config.h"

#include <stdio.h>

#include "migrate/wire.h"

TEST(nics)
{
	good("[nic lan]\n[nic wan]\ndevice = 00:02.0\nrx-ring = 512\n"
	     "tx-ring = 32\nrx-buffers = 100\nframe-max = 65549\n" VM_LINES);
	CHECK_EQ(config.nics, 2);
	CHECK_EQ(config.vms, 1);
	CHECK_STR(config.nic[0].name, "lan");
	CHECK_STR(config.nic[0].device, "first");
	CHECK_EQ(config.nic[0].rx_ring, 0);
	CHECK_EQ(config.nic[0].frame_max, 0);
	CHECK_STR(config.nic[1].device, "00:02.0");
	CHECK_EQ(config.nic[1].rx_ring, 512);
	CHECK_EQ(config.nic[1].tx_ring, 32);
	CHECK_EQ(config.nic[1].rx_buffers, 100);
	CHECK_EQ(config.nic[1].frame_max, 65549);
	good("[nic a]\ndevice = 52:54:00:12:34:56");
	CHECK_STR(config.nic[0].device, "52:54:00:12:34:56");
	CHECK_EQ(config.nic[0].role, NETDEV_LAN);
	good("[nic a]\nrole = migration\n[nic b]\nrole = lan");
	CHECK_EQ(config.nic[0].role, NETDEV_MIGRATION);
	CHECK_EQ(config.nic[1].role, NETDEV_LAN);
	good("[nic a]\nrole = migration\nloopback = yes\n[nic b]");
	CHECK(config.nic[0].loopback);
	CHECK(!config.nic[1].loopback);
}

TEST(bad_nics)
{
	bad("[nic lan]\nmemory = 64M",
	    "godwit.conf:2: memory: no such key in a NIC (expected device, "
	    "role, rx-ring, tx-ring, rx-buffers, frame-max or loopback)");
	bad("[nic lan]\ndevice = eth0",
	    "godwit.conf:2: device: \"eth0\" is no device (expected first, a "
	    "place like 00:02.0, or a MAC address like 52:54:00:12:34:56, in "
	    "small letters)");
	bad("[nic lan]\nrole = wan",
	    "godwit.conf:2: role: \"wan\" is unknown (expected lan or "
	    "migration)");
	bad("[nic lan]\nrx-ring = 100",
	    "godwit.conf:2: rx-ring: 100 is not a power of two (expected 256)");
	bad("[nic lan]\ntx-ring = 16",
	    "godwit.conf:2: tx-ring: \"16\" is not a number from 32 to 1024");
	bad("[nic lan]\nframe-max = 1500",
	    "godwit.conf:2: frame-max: \"1500\" is not a number from 1514 to "
	    "65549");
	bad("[nic too-long]",
	    "godwit.conf:1: [nic too-long]: not a name (expected up to 7 "
	    "letters, digits and - _ .)");
	bad("[nic a]\n[nic a]", "godwit.conf:2: [nic a]: given twice");
	bad("[nic a]\n[nic b]\n[nic c]\n[nic d]\n[nic e]",
	    "godwit.conf:5: [nic e]: too many NICs (at most 4)");
}

#define WITHOUT_LZ4                                              \
	(1u << CODEC_ZERO | 1u << CODEC_RAW | 1u << CODEC_WORD | \
	 1u << CODEC_DELTA)

TEST(migration_without_a_section)
{
	const struct migration_options *o = &config.migration.options;

	good("[host]\nname = alpha");
	CHECK_STR(config.migration.key, "");
	CHECK_EQ(config.migration.listen, LISTEN_AUTO);
	CHECK(!config.migration.show_keys);
	CHECK_EQ(config.migration.buffers, 0);
	CHECK(!config.migration.both_ends);
	CHECK_EQ(o->security, WIRE_ENCRYPT);
	CHECK_STR(migration_policies[o->policy], "downtime");
	CHECK_STR(migration_ways[o->dirty], "best");
	CHECK_EQ(o->downtime, 50);
	CHECK_EQ(o->rounds, 30);
	CHECK_EQ(o->codecs, WITHOUT_LZ4 | 1u << CODEC_LZ4);
	CHECK_EQ(o->limit, 0);
	CHECK_EQ(o->cache, 0);
	CHECK(!o->dry_run);
}

TEST(migration_with_all_its_keys)
{
	const struct migration_options *o = &config.migration.options;

	good("[migrate]\nkey = a secret\nlisten = yes\n"
	     "security = authenticate\npolicy = stop-and-copy\n"
	     "downtime = 60000\nrounds = 64\ndirty = pml\n"
	     "codecs = delta,word\ncache = 512M\nlimit = 25M\n"
	     "buffers = 256\nshow-keys = yes\nboth-ends = yes");
	CHECK_STR(config.migration.key, "a secret");
	CHECK_EQ(config.migration.listen, LISTEN_YES);
	CHECK_EQ(config.migration.buffers, 256);
	CHECK(config.migration.show_keys);
	CHECK(config.migration.both_ends);
	CHECK_EQ(o->security, WIRE_AUTHENTICATE);
	CHECK_STR(migration_policies[o->policy], "stop-and-copy");
	CHECK_STR(migration_ways[o->dirty], "pml");
	CHECK_EQ(o->dirty, DIRTY_PML);
	CHECK_EQ(o->downtime, 60000);
	CHECK_EQ(o->rounds, 64);
	CHECK_EQ(o->codecs, WITHOUT_LZ4);
	CHECK_EQ(o->cache, MIB(512));
	CHECK_EQ(o->limit, MIB(25));
}

TEST(migration_keys_end_with_their_section)
{
	bad("[migrate]\nkey = a\n[host]\nlisten = yes",
	    "godwit.conf:4: listen: no such key in [host] (expected name, log, "
	    "run, on-idle or json)");
	bad("[migrate]\nkey = a\n[migrate]",
	    "godwit.conf:3: [migrate]: given twice");
	bad("[migrate]\nkey = a\nkey = b", "godwit.conf:3: key: given twice");
	bad("[migrate]\nmemory = 64M",
	    "godwit.conf:2: memory: no such key in [migrate] (expected key, "
	    "listen, security, policy, downtime, rounds, dirty, codecs, cache, "
	    "limit, buffers, show-keys or both-ends)");
}

/* One line of the section. */
static void bad_line(const char *line, const char *expected)
{
	char text[160], whole[240];

	snprintf(text, sizeof(text), "[migrate]\n%s", line);
	snprintf(whole, sizeof(whole), "godwit.conf:2: %s", expected);
	bad(text, whole);
}

TEST(bad_words_of_migration)
{
	bad_line("key = 0123456789012345678901234567890123456789"
		 "0123456789012345678901234",
		 "key: 65 characters are too many (at most 64)");
	bad_line("listen = maybe",
		 "listen: \"maybe\" is unknown (expected auto, no or yes)");
	bad_line("security = tls", "security: \"tls\" is unknown (expected "
				   "none, authenticate or encrypt)");
	bad_line("policy = hope", "policy: \"hope\" is unknown (expected "
				  "downtime, classic, fixed or stop-and-copy)");
	bad_line("dirty = yes", "dirty: \"yes\" is unknown (expected best, wp, "
				"dbit or pml)");
	bad_line("codecs = word,gzip",
		 "codecs: \"word,gzip\" is unknown (expected all, none or some "
		 "of word,delta,lz4)");
	bad_line("codecs =", "codecs: \"\" is unknown (expected all, none or "
			     "some of word,delta,lz4)");
}

TEST(bad_numbers_of_migration)
{
	bad_line("downtime = 0",
		 "downtime: \"0\" is not a number from 1 to 60000");
	bad_line("downtime = 60001",
		 "downtime: \"60001\" is not a number from 1 to 60000");
	bad_line("downtime = soon",
		 "downtime: \"soon\" is not a number from 1 to 60000");
	bad_line("rounds = 0", "rounds: \"0\" is not a number from 1 to 64");
	bad_line("rounds = 65", "rounds: \"65\" is not a number from 1 to 64");
	bad_line("buffers = 257",
		 "buffers: \"257\" is not a number from 0 to 256");
	bad_line("cache = 513M", "cache: \"513M\" is no number of bytes "
				 "(expected like 25M, at most 512M)");
	bad_line("cache = much", "cache: \"much\" is no number of bytes "
				 "(expected like 25M, at most 512M)");
	bad_line("limit = 1001G", "limit: \"1001G\" is no number of bytes "
				  "(expected like 25M, at most 1024000M)");
	bad_line("limit =", "limit: \"\" is no number of bytes (expected like "
			    "25M, at most 1024000M)");
}
