"""What the tests of traces share: is what is made of one as Perfetto wants it?"""

import json

from rig import perfetto

# By `ph`, what an event must have beside its name and track: Google's "Trace
# Event Format".
FIELDS = {"X": {"dur", "ts"}, "i": {"s", "ts"}, "C": {"args", "ts"},
          "M": {"args"}, "s": {"id", "ts"}, "f": {"id", "ts"}}


def loadable(traces: list) -> dict:
    """What Perfetto wants of each event is there."""
    what = json.loads(json.dumps(perfetto.convert(traces)))
    assert what["traceEvents"]
    for event in what["traceEvents"]:
        assert FIELDS[event["ph"]] <= set(event), event
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        assert event.get("ts", 0) >= 0 and event.get("dur", 1) > 0, event
    return what


def named(what: dict, ph: str, start: str) -> list:
    return [event for event in what["traceEvents"]
            if event["ph"] == ph and event["name"].startswith(start)]
