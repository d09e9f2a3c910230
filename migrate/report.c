#include "migrate/report.h"

#include "migrate/error.h"
#include "migrate/text.h"

struct field {
	const char *name;
	u16 offset;
};

#define FIELD(type, member)                     \
	{                                       \
#member, offsetof(type, member) \
	}

static const struct field report_fields[] = {
	FIELD(struct report, total),
	FIELD(struct report, downtime),
	FIELD(struct report, pages),
	FIELD(struct report, bytes),
	FIELD(struct report, frames),
	FIELD(struct report, frames_lost),
	FIELD(struct report, parts_again),
	FIELD(struct report, probes),
	FIELD(struct report, records_resent),
	FIELD(struct report, control_bytes),
	FIELD(struct report, dropped),
	FIELD(struct report, state_bytes),
};

static const struct field round_fields[] = {
	FIELD(struct round_stats, pages),
	FIELD(struct round_stats, bytes),
	FIELD(struct round_stats, duration),
	FIELD(struct round_stats, zero_pages),
	FIELD(struct round_stats, resent),
	FIELD(struct round_stats, remaining),
	FIELD(struct round_stats, dirty_rate),
	FIELD(struct round_stats, bandwidth),
	FIELD(struct round_stats, predicted),
};

static const struct field codec_fields[] = {
	FIELD(struct codec_count, tried),
	FIELD(struct codec_count, pages),
	FIELD(struct codec_count, bytes),
	FIELD(struct codec_count, turned_off),
};

static const struct field prediction_fields[] = {
	FIELD(struct prediction, total),
	FIELD(struct prediction, downtime),
	FIELD(struct prediction, bytes),
	FIELD(struct prediction, rounds),
	FIELD(struct prediction, throttle),
	FIELD(struct prediction, bandwidth),
	FIELD(struct prediction, round_trip),
	FIELD(struct prediction, page_bytes),
	FIELD(struct prediction, dirty_rate),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void add_name(struct text *text, const char *name)
{
	text_add(text, ",\"");
	text_add(text, name);
	text_add(text, "\":");
}

static void add_number(struct text *text, const char *name, u64 number)
{
	add_name(text, name);
	text_number(text, number);
}

static void add_fields(struct text *text, const void *of,
		       const struct field *field, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_number(text, field[i].name,
			   get_u64((const u8 *)of + field[i].offset));
}

static void add_rounds(struct text *text, const struct report *report)
{
	text_add(text, ",\"rounds\":[");
	for (u32 i = 0; i < report->rounds; i++) {
		const struct round_stats *round = &report->round[i];

		text_add(text, i == 0 ? "{\"round\":" : ",{\"round\":");
		text_number(text, round->round);
		add_number(text, "throttle", round->throttle);
		add_fields(text, round, round_fields, COUNT(round_fields));
		text_add(text, "}");
	}
	text_add(text, "]");
}

static void add_codecs(struct text *text, const struct report *report)
{
	static const char *const names[CODECS] = {"zero", "word", "raw",
						  "delta", "lz4"};

	text_add(text, ",\"codecs\":{");
	for (unsigned i = 0; i < CODECS; i++) {
		text_add(text, i == 0 ? "\"" : ",\"");
		text_add(text, names[i]);
		text_add(text, "\":{\"asleep\":");
		text_number(text, report->codec[i].asleep);
		add_fields(text, &report->codec[i], codec_fields,
			   COUNT(codec_fields));
		text_add(text, "}");
	}
	text_add(text, "}");
}

static void add_prediction(struct text *text,
			   const struct prediction *prediction)
{
	text_add(text, ",\"prediction\":{\"result\":\"");
	text_add(text, mig_error_text((unsigned)prediction->code));
	text_add(text, "\"");
	add_fields(text, prediction, prediction_fields,
		   COUNT(prediction_fields));
	text_add(text, "}");
}

size_t report_json(const struct report *report, char *at, size_t size)
{
	char certificate[32];
	struct text text;

	report_certificate(report->certificate, certificate);
	text_begin(&text, at, size);
	text_add(&text, "{\"policy\":\"");
	text_add(&text, report->policy);
	text_add(&text, "\",\"result\":\"");
	text_add(&text, mig_error_text(report->code));
	text_add(&text, "\",\"certificate\":\"");
	text_add(&text, certificate);
	text_add(&text, "\"");
	add_number(&text, "code", report->code);
	add_number(&text, "sessions", report->sessions);
	add_number(&text, "attempts", report->attempts);
	add_fields(&text, report, report_fields, COUNT(report_fields));
	add_codecs(&text, report);
	add_rounds(&text, report);
	if (report->code == MIG_DRY)
		add_prediction(&text, &report->prediction);
	text_add(&text, "}");
	return text.used + 1 < size ? text.used : 0;
}

void report_certificate(u64 certificate, char at[32])
{
	for (unsigned i = 0; i < 16; i++)
		at[i] = "0123456789abcdef"[certificate >> (60 - 4 * i) & 15];
	at[16] = 0;
}
