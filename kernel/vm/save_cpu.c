/*
 * The CPUs of a VM, saved and restored: the model, so that a host that would
 * show the guest another CPU refuses it; each vCPU, which the entry auditor
 * looks over; and what waits for one and is no register.
 */
#include "cpu/features.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/save.h"
#include "vm/vm.h"

/* --- the model */

struct saved_model {
	u32 vendor, rows;
	u32 word[MODEL_ROWS * 4];
};

static const struct device_field model_fields[] = {
	DEVICE_FIELD(struct saved_model, vendor, 1, 1),
	DEVICE_FIELD_MAX(struct saved_model, rows, 1, 1, MODEL_ROWS),
	DEVICE_FIELD(struct saved_model, word, MODEL_ROWS * 4, 1),
};

static const struct device_description model_description = {
	"cpu model", 1, ARRAY_LEN(model_fields), model_fields, NULL};

static void fill_model(struct saved_model *to, const struct model *model)
{
	memset(to, 0, sizeof(*to));
	to->vendor = model->vendor;
	to->rows = model_rows(model);
	memcpy(to->word, model->table, to->rows * sizeof(model->table[0]));
}

/* The guest has looked at its CPUID: it is the same here, or it stays there. */
static err_t restore_model(struct stream_reader *r, struct vm *vm)
{
	struct saved_model theirs = {0}, ours;
	err_t err = stream_load(r, &model_description, 0, &theirs, vm);

	if (err)
		return err;
	fill_model(&ours, vm->model);
	if (theirs.vendor != ours.vendor || theirs.rows != ours.rows)
		return stream_wrong(r, "cpu model 0: another vendor's, or of "
				       "another version of this program");
	for (unsigned i = 0; i < ARRAY_LEN(ours.word); i++)
		if (theirs.word[i] != ours.word[i])
			return stream_wrong(
				r,
				"cpu model 0: leaf 0x%x E%cX: 0x%x there, "
				"0x%x here",
				model_leaf(vm->model, i / 4), "ABCD"[i % 4],
				theirs.word[i], ours.word[i]);
	return E_OK;
}

/* --- what waits for a vCPU */

struct saved_events {
	u64 requests;
	u8 sipi_vector, nmi_waiting;
};

#define REQUESTS_SAVED (REQUEST_NMI | REQUEST_INIT | REQUEST_SIPI)

static const struct device_field event_fields[] = {
	DEVICE_FIELD(struct saved_events, requests, 1, 1),
	DEVICE_FIELD(struct saved_events, sipi_vector, 1, 1),
	DEVICE_FIELD_MAX(struct saved_events, nmi_waiting, 1, 1, 1),
};

static bool check_events(const void *device, const struct vm *vm, char *why,
			 size_t size)
{
	const struct saved_events *e = device;

	if (!(e->requests & ~REQUESTS_SAVED))
		return true;
	snprintf(why, size, "requests: %lx", e->requests);
	return false;
}

static const struct device_description event_description = {
	"vcpu events", 1, ARRAY_LEN(event_fields), event_fields, check_events};

static void save_events(struct stream_writer *w, const struct vcpu *vcpu)
{
	const struct saved_events e = {
		.requests = __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) &
			    REQUESTS_SAVED,
		.sipi_vector = vcpu->sipi_vector,
		.nmi_waiting = vcpu->nmi_waiting,
	};

	stream_save(w, &event_description, vcpu->id, &e);
}

static err_t restore_events(struct stream_reader *r, struct vcpu *vcpu)
{
	struct saved_events e = {0};
	err_t err = stream_load(r, &event_description, vcpu->id, &e, vcpu->vm);

	if (err)
		return err;
	vcpu->sipi_vector = e.sipi_vector;
	vcpu->nmi_waiting = e.nmi_waiting;
	vcpu_request(vcpu, e.requests | REQUEST_INTERRUPT);
	return E_OK;
}

/* --- the vCPU */

/* The legacy area and the header (SDM vol. 1, 13.4.1, 13.4.2). */
#define XSAVE_MXCSR   24
#define XSAVE_HEADER  512
#define XSAVE_AVX_END 832
#define MXCSR_VALID   0xffffu

/* What XRSTOR, FXRSTOR and LDMXCSR would fault on, here in the host. */
static err_t check_xsave(struct stream_reader *r, const struct vcpu *vcpu)
{
	const u8 *area = vcpu->state.xsave;
	u64 here = features.xsave ? features.xcr0 & 7 : 3, parts;
	u32 mxcsr;

	memcpy(&mxcsr, area + XSAVE_MXCSR, sizeof(mxcsr));
	if (mxcsr & ~MXCSR_VALID)
		return stream_wrong(r, "vcpu %u: xsave: MXCSR %x", vcpu->id,
				    mxcsr);
	memcpy(&parts, area + XSAVE_HEADER, sizeof(parts));
	if (parts & ~here)
		return stream_wrong(r,
				    "vcpu %u: xsave: components %lx, this "
				    "host has %lx",
				    vcpu->id, parts, here);
	if (!is_zero(area + XSAVE_HEADER + 8, 64 - 8) ||
	    !is_zero(area + XSAVE_AVX_END, XSAVE_AREA - XSAVE_AVX_END))
		return stream_wrong(r,
				    "vcpu %u: xsave: not in the standard "
				    "format",
				    vcpu->id);
	return E_OK;
}

static err_t restore_vcpu(struct stream_reader *r, struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;
	const struct vm *vm = vcpu->vm;
	char why[96];
	err_t err = stream_load(r, &vcpu_description, vcpu->id, s, vm);

	if (!err)
		err = check_xsave(r, vcpu);
	if (err)
		return err;
	if (s->debugctl)
		return stream_wrong(r, "vcpu %u: DEBUGCTL %lx", vcpu->id,
				    s->debugctl);
	err = state_check(s, &vm->model->limits, why, sizeof(why));
	if (err)
		return stream_wrong(r, "vcpu %u: %s", vcpu->id, why);
	return restore_events(r, vcpu);
}

/* --- all of them */

void save_cpus(struct stream_writer *w, struct vm *vm)
{
	struct saved_model model;

	fill_model(&model, vm->model);
	stream_save(w, &model_description, 0, &model);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		stream_save(w, &vcpu_description, i, &vm->vcpu[i]->state);
		save_events(w, vm->vcpu[i]);
	}
}

err_t restore_cpus(struct stream_reader *r, struct vm *vm)
{
	err_t err = restore_model(r, vm);

	for (unsigned i = 0; !err && i < vm->vcpus; i++)
		err = restore_vcpu(r, vm->vcpu[i]);
	return err;
}
