#include "vm/rebuild.h"

#include "cpu/time.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "vm/dirty.h"
#include "vm/move.h"

/* Nanoseconds since *mark, which is now from here on. */
static u64 lap(u64 *mark)
{
	u64 now = now_ns(), passed = now - *mark;

	*mark = now;
	return passed;
}

/* Saved again, what has been restored is the same bytes. */
static err_t compare(struct vm *vm, const u8 *state, size_t size, u8 *again,
		     char *why, size_t why_size)
{
	size_t n = vm_save(vm, again, size), at = 0;

	if (n == size && !memcmp(state, again, size))
		return E_OK;
	while (at < MIN(n, size) && state[at] == again[at])
		at++;
	snprintf(why, why_size, "saved again it differs at byte %u of %u",
		 (unsigned)at, (unsigned)size);
	return E_FORMAT;
}

static err_t rebuild(struct vm *vm, u8 *buffer, size_t room,
		     struct rebuild_report *report, char *why, size_t why_size)
{
	u64 start = now_ns(), mark = start;
	err_t err = vm_freeze(vm);
	u64 frozen;

	if (err)
		return err;
	report->freeze_ns = lap(&mark);
	frozen = mark;
	report->bytes = vm_save(vm, buffer, room);
	report->save_ns = lap(&mark);
	if (!report->bytes) {
		vm_thaw(vm);
		snprintf(why, why_size, "its state is larger than %u",
			 (unsigned)room);
		return E_RANGE;
	}
	vm_take_apart(vm);
	vm->life = VM_ARRIVING;
	report->discard_ns = lap(&mark);
	err = vm_restore(vm, buffer, report->bytes, why, why_size);
	report->restore_ns = lap(&mark);
	if (!err)
		err = compare(vm, buffer, report->bytes, buffer + room, why,
			      why_size);
	lap(&mark); /* which a move does not do */
	if (!err)
		err = vm_run(vm, now_ns() - frozen);
	report->run_ns = lap(&mark);
	report->total_ns = mark - start;
	if (err)
		vm_discard(vm);
	return err;
}

err_t vm_rebuild(struct vm *vm, struct rebuild_report *report, char *why,
		 size_t why_size)
{
	size_t room;
	u8 *buffer;
	err_t err;

	memset(report, 0, sizeof(*report));
	why[0] = '\0';
	if (vm->life != VM_RUNNING)
		return E_STATE;
	if (dirty_way(vm) != DIRTY_OFF) {
		snprintf(why, why_size, "its writes are being tracked");
		return E_BUSY;
	}
	room = vm_save_room(vm);
	buffer = kmalloc(2 * room);
	if (!buffer) {
		snprintf(why, why_size, "no memory for its state");
		return E_NOMEM;
	}
	err = rebuild(vm, buffer, room, report, why, why_size);
	kfree(buffer);
	return err;
}
