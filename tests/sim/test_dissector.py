"""tshark, with our dissector, sees the records that the checker sees."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "sim"


def test_tshark_names_the_records() -> None:
    path = OUT / "dissected.pcap"
    subprocess.run([OUT / "sim", "--capture", path, "3"], check=True)
    done = subprocess.run(
        ["tshark", "-r", path, "-X", f"lua_script:{ROOT}/tools/godwit.lua",
         "-T", "fields", "-e", "godwit.kind", "-e", "godwit.hello", "-e",
         "godwit.record", "-e", "godwit.page", "-e", "_ws.col.Info", "-e",
         "godwit.name", "-e", "godwit.source", "-e", "godwit.round", "-e",
         "godwit.certificate", "-e", "godwit.memory_hash", "-e",
         "_ws.malformed", "-e", "godwit.whole"],
        capture_output=True, text=True, check=True)
    assert "Lua" not in done.stderr, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {row[0] for row in rows} == {"1", "2", "3", "4"}
    assert {"1", "2", "3", "4"} <= {row[1] for row in rows}
    # DESCRIBE to COMMITTED, and pages by their number.
    wanted = {"1", "2", "3", "4", "6", "7", "8", "9", "13", "14"}
    assert wanted <= {row[2] for row in rows}
    assert any(row[3].startswith("0,") for row in rows)
    assert any("COMMIT" in row[4] for row in rows)
    assert any(row[4].startswith("PAGES no records") for row in rows)
    assert {(row[5], row[6]) for row in rows if row[2] == "1"} == \
        {("guest", "alpha")}
    assert any(row[4].startswith("GUEST frame 1,") for row in rows)
    assert {row[7] for row in rows if row[2] == "6"} >= {"1", "2"}
    assert not any(row[10] for row in rows if row[0] != "4")
    # COMMIT and COMMITTED, PREPARE and PREPARED say the same; STATE its size.
    for column, records in ((8, ("13", "14")), (9, ("8", "9"))):
        values = {row[column] for row in rows if row[2] in records}
        assert len(values) == 1 and values.pop().startswith("0x")
    assert all(int(row[11]) > 0 for row in rows if row[2] == "7")
