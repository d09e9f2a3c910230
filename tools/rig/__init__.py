"""Starting Godwit on emulated machines: platforms, emulators, outcomes.

Only Python's standard library; used by tools/launch, the demo, the benchmark
runner and the end-to-end tests.
"""
