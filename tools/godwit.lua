-- Wireshark's view of a migration (docs/wire.md). To use it:
--	wireshark -X lua_script:tools/godwit.lua
-- Bodies that are encrypted are shown as bytes.

local godwit = Proto("godwit", "Godwit migration")

local kinds = { [1] = "HELLO", [2] = "CONTROL", [3] = "PAGES",
	[4] = "GUEST" }
local hellos = { "SEEK", "HERE", "OFFER", "ACCEPT", "DENY" }
local securities = { [0] = "none", [1] = "authenticate", [2] = "encrypt" }
local codecs = { [0] = "zero", "word", "raw", "delta", "LZ4" }
local records = { "DESCRIBE", "REQUIRE", "ASK", "READY", "REFUSE", "ROUND",
	"STATE", "PREPARE", "PREPARED", "DIFFERS", "HASH_ASK", "HASH_TELL",
	"COMMIT", "COMMITTED", "RESTART", "ABORT", "ABORTED", "RELEASE",
	"PAGE_WANT", "PAGE_RANGE", "FILLER" }
local states = { [0] = "idle", "seeking", "offering", "asking", "copying",
	"stopped", "preparing", "in doubt", "done", "aborting", "failed",
	[16] = "listening", [17] = "asked", [18] = "receiving",
	[19] = "prepared", [20] = "running", [21] = "discarded" }
local codes = { [0] = "OK", "VERSION", "SECURITY", "BUSY", "UNKNOWN", "MEMORY",
	"STATE_SIZE", "REQUIREMENT", "RECORD", "MALFORMED", "DIFFERS",
	"CANCELLED", "POLICY", "DRY", "LINK", "HOST", "DISCARDED", "FRAME",
	"ATTEMPTS", "EXISTS" }

local f = {
	version = ProtoField.uint8("godwit.version", "Version", base.DEC, nil, 0xf0),
	kind = ProtoField.uint8("godwit.kind", "Kind", base.DEC, kinds, 0x0f),
	session = ProtoField.uint8("godwit.session", "Session", base.HEX),
	length = ProtoField.uint16("godwit.length", "Length of the body"),
	number = ProtoField.uint32("godwit.number", "Number"),
	tag = ProtoField.bytes("godwit.tag", "Tag"),
	body = ProtoField.bytes("godwit.body", "Encrypted body"),
	hello = ProtoField.uint8("godwit.hello", "Type", base.DEC, hellos),
	security = ProtoField.uint8("godwit.security", "Security", base.DEC, securities),
	frame_size = ProtoField.uint32("godwit.frame_size", "Frame size"),
	code = ProtoField.uint32("godwit.code", "Code", base.DEC, codes),
	name = ProtoField.string("godwit.name", "Name"),
	source = ProtoField.string("godwit.source", "Name of the source"),
	migration = ProtoField.bytes("godwit.migration", "Migration"),
	pages = ProtoField.uint64("godwit.pages", "Pages of the VM"),
	sequence = ProtoField.uint32("godwit.sequence", "Sequence"),
	acknowledged = ProtoField.uint32("godwit.acknowledged", "Acknowledged"),
	highest = ProtoField.uint64("godwit.highest", "Highest page frame"),
	credit = ProtoField.uint16("godwit.credit", "Credit"),
	state = ProtoField.uint8("godwit.state", "State", base.DEC, states),
	attempt = ProtoField.uint32("godwit.attempt", "Attempt"),
	record = ProtoField.uint8("godwit.record", "Record", base.DEC, records),
	mandatory = ProtoField.bool("godwit.mandatory", "Mandatory", 8, nil, 1),
	round = ProtoField.uint32("godwit.round", "Round"),
	stopped = ProtoField.bool("godwit.stopped", "Guest stopped", 32, nil, 1),
	to_send = ProtoField.uint64("godwit.to_send", "Pages to send"),
	part = ProtoField.uint32("godwit.part", "Offset in the state"),
	whole = ProtoField.uint32("godwit.whole", "Size of the state"),
	memory_hash = ProtoField.uint64("godwit.memory_hash", "Memory hash",
		base.HEX),
	state_hash = ProtoField.uint64("godwit.state_hash", "State hash", base.HEX),
	still = ProtoField.uint64("godwit.still", "Guest stood still, us"),
	certificate = ProtoField.uint64("godwit.certificate", "Certificate",
		base.HEX),
	data = ProtoField.bytes("godwit.data", "Data"),
	page = ProtoField.uint32("godwit.page", "Page"),
	codec = ProtoField.uint16("godwit.codec", "Codec", base.DEC, codecs, 0xf000),
	offset = ProtoField.uint16("godwit.offset", "Offset", base.DEC, nil, 0x0fff),
	size = ProtoField.uint16("godwit.size", "Size or run"),
	frame = ProtoField.uint32("godwit.frame", "Guest's frame"),
	piece = ProtoField.uint16("godwit.piece", "Offset of the piece"),
	total = ProtoField.uint16("godwit.total", "Size of the frame"),
}
for _, field in pairs(f) do
	godwit.fields[#godwit.fields + 1] = field
end

-- What a session's ACCEPT agreed on, by its session byte.
local agreed = {}

function godwit.init()
	agreed = {}
end

local function hello(body, tree)
	local kind = body(0, 1):uint()

	tree:add(f.hello, body(0, 1))
	tree:add(f.security, body(1, 1))
	tree:add_le(f.frame_size, body(8, 4))
	tree:add_le(f.code, body(12, 4))
	tree:add(f.name, body(16, 32))
	tree:add(f.migration, body(48, 16))
	tree:add_le(f.pages, body(128, 8))
	if kind == 4 then
		agreed[body(139, 1):uint()] = body(1, 1):uint()
	end
	return hellos[kind] or "?"
end

-- Fields of records: field, offset in the data, size.
local layouts = {
	ROUND = { { f.round, 0, 4 }, { f.stopped, 4, 4 }, { f.to_send, 8, 8 } },
	STATE = { { f.part, 0, 4 }, { f.whole, 4, 4 } },
	PREPARE = { { f.attempt, 0, 4 }, { f.memory_hash, 8, 8 },
		{ f.state_hash, 16, 8 }, { f.still, 24, 8 } },
	COMMIT = { { f.attempt, 0, 4 }, { f.certificate, 8, 8 } },
	RESTART = { { f.attempt, 0, 4 } },
	RELEASE = { { f.certificate, 0, 8 } },
	REFUSE = { { f.code, 0, 4 } },
	ABORT = { { f.code, 0, 4 } },
	ABORTED = { { f.code, 0, 4 } },
}
layouts.PREPARED, layouts.DIFFERS = layouts.PREPARE, layouts.PREPARE
layouts.COMMITTED = layouts.COMMIT

local function record(body, name, size, tree)
	if size > 0 then
		tree:add(f.data, body(104, size))
	end
	for _, field in ipairs(layouts[name] or {}) do
		if field[2] + field[3] <= size then
			tree:add_le(field[1], body(104 + field[2], field[3]))
		end
	end
	if name == "DESCRIBE" and size >= 48 then
		tree:add_le(f.pages, body(104, 8))
		tree:add(f.name, body(120, 32))
		if size >= 80 then
			tree:add(f.source, body(152, 32))
		end
	end
end

local function control(body, tree)
	local sequence = body(0, 4):le_uint()
	local info = states[body(18, 1):uint()] or "?"

	tree:add_le(f.sequence, body(0, 4))
	tree:add_le(f.acknowledged, body(4, 4))
	tree:add_le(f.highest, body(8, 8))
	tree:add_le(f.credit, body(16, 2))
	tree:add(f.state, body(18, 1))
	tree:add_le(f.attempt, body(20, 4))
	if sequence ~= 0 and body:len() >= 104 then
		local size = math.min(body(100, 2):le_uint(), body:len() - 104)
		local name = records[body(96, 1):uint()] or "?"
		local sub = tree:add(godwit, body(96, 8 + size), "Record")

		sub:add(f.record, body(96, 1))
		sub:add(f.mandatory, body(97, 1))
		record(body, name, size, sub)
		info = info .. ", " .. name
	end
	return info
end

local function pages(body, tree)
	local at, count = 0, 0

	while at + 8 <= body:len() do
		local codec = bit.rshift(body(at + 4, 2):le_uint(), 12)
		local size = codec ~= 0 and body(at + 6, 2):le_uint() or 0
		local whole = math.min(8 + size, body:len() - at)
		local sub = tree:add(godwit, body(at, whole), "Page record")

		sub:add_le(f.page, body(at, 4))
		sub:add_le(f.codec, body(at + 4, 2))
		sub:add_le(f.offset, body(at + 4, 2))
		sub:add_le(f.size, body(at + 6, 2))
		at = at + 8 + size
		count = count + 1
	end
	return count .. " records"
end

local ethernet = Dissector.get("eth_withoutfcs")

-- A frame in one piece is shown as what it is.
local function guest(body, pinfo, tree)
	local whole = body:len() - 8 == body(6, 2):le_uint()

	tree:add_le(f.frame, body(0, 4))
	tree:add_le(f.piece, body(4, 2))
	tree:add_le(f.total, body(6, 2))
	if whole and body:len() > 8 + 14 then
		-- What a guest sends may be wrong; its carrier is not.
		pcall(ethernet.call, ethernet, body(8):tvb(), pinfo, tree)
		pinfo.cols.protocol = "GODWIT"
	elseif body:len() > 8 then
		tree:add(f.data, body(8))
	end
	return string.format("frame %d, %d bytes from %d of %d",
		body(0, 4):le_uint(), body:len() - 8, body(4, 2):le_uint(),
		body(6, 2):le_uint())
end

function godwit.dissector(buffer, pinfo, tree)
	if buffer:len() < 8 then
		return 0
	end
	local kind = bit.band(buffer(0, 1):uint(), 15)
	local session = buffer(1, 1):uint()
	local length = buffer(2, 2):le_uint()
	local sub = tree:add(godwit, buffer())
	local info = ""

	pinfo.cols.protocol = "GODWIT"
	sub:add(f.version, buffer(0, 1))
	sub:add(f.kind, buffer(0, 1))
	sub:add(f.session, buffer(1, 1))
	sub:add_le(f.length, buffer(2, 2))
	sub:add_le(f.number, buffer(4, 4))
	if buffer:len() < 8 + length then
		return 8
	end
	local security = kind == 1 and 1 or agreed[session] or 0
	if length > 0 then
		local body = buffer(8, length):tvb()

		if kind == 1 and length == 144 then
			info = hello(body, sub)
		elseif security == 2 then
			sub:add(f.body, body())
			info = length .. " bytes encrypted"
		elseif kind == 2 and length >= 96 then
			info = control(body, sub)
		elseif kind == 3 then
			info = pages(body, sub)
		elseif kind == 4 and length >= 8 then
			info = guest(body, pinfo, sub)
		end
	elseif kind == 3 then
		info = "no records: to be acknowledged"
	end
	local tag = math.min(security == 0 and 8 or 16, buffer:len() - 8 - length)
	if tag > 0 then
		sub:add(f.tag, buffer(8 + length, tag))
	end
	pinfo.cols.info = (kinds[kind] or "?") .. " " .. info
	return buffer:len()
end

DissectorTable.get("ethertype"):add(0x88b5, godwit)
