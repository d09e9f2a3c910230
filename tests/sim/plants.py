"""Bugs to be planted: a name, a file, what stands there, what is put in its
place, and which words the simulator should find for it (any of them). Each is a
mistake that a careful person could make; the sources know nothing of them."""

# Two things see to it that no page is sent while old bytes of it are under way: a
# round waits for all its frames, and the sender looks. Neither is missed alone.
AGAIN = ("migrate/source.c",
         "sender_resolved_all(&source->sender) && now >= source->round_until",
         "sender_sent_all(&source->sender) && now >= source->round_until",
         "migrate/sender_fill.c",
         "while (page < sender->pages && *flying(sender, (u32)page) != 0)",
         "while (false)")

PLANTS = [
    ("late page frames are taken", "migrate/receiver.c",
     "behind >= WINDOW_REORDER ||\n\t\t   bits_test(receiver->bitmap, behind)",
     "behind >= WINDOW_BITS"),
    ("repeated page frames are taken", "migrate/receiver.c",
     "behind >= WINDOW_REORDER ||\n\t\t   bits_test(receiver->bitmap, behind)",
     "behind >= WINDOW_REORDER"),
    ("a frame is given up too early", "migrate/sender.c",
     "else if (behind >= WINDOW_REORDER)", "else if (behind >= 3)"),
    ("a page is sent again while under way", *AGAIN),
    ("lost raw bytes are forgotten", "migrate/sender.c",
     "sender->again[slot] = *part;", "sender->again[slot] = *part;\n"
     "\tsender->again_count--;"),
    ("a lost page stays in the delta cache", "migrate/sender.c",
     "codec_forget(&sender->codec, part->page + i);", ";"),
    ("stopped, and not waited for all pages", "migrate/source_say.c",
     "else if (sender_resolved_all(&source->sender) &&\n"
     "\t\t link_quiet(&source->link))",
     "else if (link_quiet(&source->link))"),
    ("the last harvest is forgotten", "migrate/source_round.c",
     "\tsource->attempt++;\n\tharvest(source);", "\tsource->attempt++;"),
    ("stopping does not stop", "migrate/source_round.c",
     "source->ops->stop(source->context);", "now;"),
    ("in doubt, it gives up", "migrate/source.c",
     "\t    source->state == SOURCE_IN_DOUBT || now - source->lost_at",
     "\t    now - source->lost_at"),
    ("a cancel after the commit", "migrate/source.c",
     "source->state >= SOURCE_IN_DOUBT)\n\t\treturn false;\n\tsource_abort",
     "source_ended(source))\n\t\treturn false;\n\tsource_abort"),
    ("the target runs when it is prepared", "migrate/target.c",
     "\ttarget->state = TARGET_PREPARED;\n\ttarget->say",
     "\trun(target);\n\ttarget->say"),
    ("the target does not compare", "migrate/target.c",
     "get_u64(record->data + 8) != target->memory_hash ||", "0 ||", *AGAIN),
    ("a prepared target forgets when nobody calls", "migrate/target.c",
     "\tif (target->state == TARGET_ASKED)\n\t\ttarget->state",
     "\tif (target->state == TARGET_PREPARED)\n"
     "\t\ttarget_give_up(target, MIG_LINK);\n"
     "\tif (target->state == TARGET_ASKED)\n\t\ttarget->state"),
    ("an orphan waits for ever", "migrate/target.c",
     "now - target->link.heard >= timers->orphan", "0"),
    ("RESTART is not heeded", "migrate/target.c",
     "\tif (target->state == TARGET_PREPARED)\n"
     "\t\ttarget->state = TARGET_RECEIVING;\n", ""),
    ("an old attempt's PREPARED counts", "migrate/source.c",
     "static void on_prepared(struct source *source, u64 now, const u8 *data)\n"
     "{\n\tif (source->state != SOURCE_PREPARING ||\n"
     "\t    get_u32(data) != source->attempt)",
     "static void on_prepared(struct source *source, u64 now, const u8 *data)\n"
     "{\n\tif (source->state > SOURCE_PREPARING)"),
    ("a check of the tag is missing", "migrate/crypto.c",
     "return get_u64(tag) == frame_check(key->check, frame, hashes);",
     "return true;"),
    ("the old session's frames count as received", "migrate/sender.c",
     "\t\tif (!flight->resolved)\n\t\t\tresolve(sender, flight, false);",
     "\t\tif (!flight->resolved)\n\t\t\tresolve(sender, flight, true);"),
    ("records that come again are taken again", "migrate/link.c",
     "u32 ahead = sequence - link->rx_last - 1;", "u32 ahead = 0;"),
    ("the guest stays stopped when the link dies", "migrate/source.c",
     "\tif (source->state == SOURCE_STOPPED ||\n"
     "\t    source->state == SOURCE_PREPARING)\n"
     "\t\tfall_back(source, now);\n\tsource_search_start",
     "\tsource_search_start"),
    ("a round is over without a session", "migrate/source.c",
     "source->state == SOURCE_COPYING && source->link.up &&",
     "source->state == SOURCE_COPYING &&"),
    ("a dry run goes on to copy", "migrate/source.c",
     "\t\tsource_dry_begin(source, now);\n\t\treturn;",
     "\t\tsource_dry_begin(source, now);"),
    ("fillers are not known", "migrate/target.c",
     "\t\t[RECORD_FILLER] = on_filler,\n", ""),
    ("a frame of the guest is taken twice", "migrate/link.c",
     "return behind >= REORDER || (link->rx_seen[kind] >> behind & 1);",
     "return behind >= REORDER ||\n\t       (kind != WIRE_GUEST &&\n"
     "\t\t(link->rx_seen[kind] >> behind & 1));"),
    ("a frame of the guest is whole too early", "migrate/forward.c",
     "if (part->have != all)", "if (!(part->have & (all + 1) >> 1))"),
    ("pieces of one frame of the guest, and of the next", "migrate/forward.c",
     "if (part->total != 0 && part->id == id)", "if (part->total != 0)"),
    ("nobody keeps the session for frames of the guest", "migrate/source.c",
     "return source_ended(source) && !source->forwards;",
     "return source_ended(source);"),
    ("the guest's clocks are told nothing", "migrate/target.c",
     "target->stood = get_u64(record->data + 24);", ";"),
    ("the guest's clocks are told of the whole move", "migrate/source_say.c",
     "source_stood(source, now) +", "now - source->began_at +"),
    ("a refusal is ignored", "migrate/target.c",
     "\tif (target->refused) {", "\tif (false) {"),
]
